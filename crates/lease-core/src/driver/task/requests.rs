//! The requests of the state machine, and what their answers mean.

#[cfg(feature = "mutants")]
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;

use super::Task;
#[cfg(feature = "mutants")]
use super::faults;
use crate::annotations::Carried;
use crate::driver::commands::AnnotateError;
use crate::driver::lease_api::LeaseApi;
use crate::driver::request_error::RequestError;
use crate::driver::wire::lease_to_write;
use crate::effect::{AttemptId, Write, WriteKind};
use crate::event::{Event, Refusal};
use crate::name::LeaseName;
use crate::revision::ResourceVersion;

pub(super) type Request = BoxFuture<'static, RequestResult>;

/// The answer to one request.
pub(super) enum RequestResult {
    Read(Result<Option<Lease>, RequestError>),
    Write(AttemptId, Result<Option<Lease>, RequestError>),
}

impl Task {
    pub(super) fn read(&mut self) {
        let (api, name) = (self.common.api.clone(), self.lease.clone());
        self.requests.push(async move { RequestResult::Read(api.get(&name).await) }.boxed());
    }

    pub(super) fn write(&mut self, write: Write) {
        let attempt = write.attempt;
        let base = write.base.as_ref().and_then(|revision| self.objects.get(revision)).map(Arc::clone);
        if base.is_none() && write.base.is_some() {
            // The object of that state is no longer stored. A conflict makes the state machine read the Lease.
            let outcome = RequestResult::Write(attempt, Err(RequestError::Conflict));
            self.requests.push(std::future::ready(outcome).boxed());
            return;
        }
        let mut lease =
            lease_to_write(&write, base.as_deref(), &self.lease, &self.common.election_keys, &self.metadata);
        if write.kind == WriteKind::Renew {
            let annotations = lease.metadata.annotations.get_or_insert_default();
            for (reply, error) in self.pending.put_on(annotations, attempt) {
                let _ = reply.send(Err(AnnotateError::Invalid(error)));
            }
        }
        let (api, name) = (self.common.api.clone(), self.lease.clone());
        self.requests.push(
            async move { RequestResult::Write(attempt, send(&api, &name, &write, lease).await) }.boxed(),
        );
    }

    pub(super) fn settle(&mut self, outcome: RequestResult) -> Event {
        match outcome {
            RequestResult::Read(Ok(lease)) => match lease.map(Arc::new) {
                None => {
                    self.common.lease_watch.read(&self.lease, None, self.common.clock.now().monotonic);
                    Event::Read(None)
                }
                Some(lease) => match self.remember(&lease) {
                    Some(observed) => {
                        // A standby does not write, so its reads are what shows whether the watch works.
                        if self.common.election_keys.are_on(&lease) {
                            self.expect_in_watch(observed.revision.version);
                            self.common.lease_watch.read(
                                &self.lease,
                                None,
                                self.common.clock.now().monotonic,
                            );
                        } else {
                            self.common.lease_watch.read(
                                &self.lease,
                                Some(&lease),
                                self.common.clock.now().monotonic,
                            );
                        }
                        Event::Read(Some(observed))
                    }
                    None => Event::ReadFailed { retry_after: None },
                },
            },
            RequestResult::Read(Err(error)) => Event::ReadFailed { retry_after: retry_after(&error) },
            RequestResult::Write(attempt, Ok(lease)) => {
                let observed = lease.map(Arc::new).and_then(|lease| self.remember(&lease));
                if let Some(lease) = &observed {
                    for reply in self.pending.written(attempt, Carried::Landed) {
                        let _ = reply.send(Ok(lease.revision.clone()));
                    }
                    self.expect_in_watch(lease.revision.version);
                    // Everything that this process writes has the label.
                    self.common.lease_watch.read(&self.lease, None, self.common.clock.now().monotonic);
                }
                Event::WriteLanded(attempt, observed)
            }
            RequestResult::Write(attempt, Err(error)) => {
                for reply in self.pending.written(attempt, carried(&error)) {
                    let _ = reply.send(Err(AnnotateError::NotWritten(error.clone())));
                }
                match error {
                    RequestError::Conflict | RequestError::NotFound => {
                        Event::WriteRefused(attempt, Refusal::Conflict)
                    }
                    RequestError::Rejected { .. } => {
                        let retry_after = retry_after(&error);
                        Event::WriteRefused(attempt, Refusal::Rejected { retry_after })
                    }
                    RequestError::Unknown(why) => {
                        tracing::debug!(lease = %self.lease, "no certain answer to a write: {why}");
                        Event::WriteUnknown(attempt)
                    }
                }
            }
        }
    }
}

impl Task {
    fn expect_in_watch(&self, version: ResourceVersion) {
        let by = self.common.clock.now().monotonic + self.common.timings.retry_period();
        self.common.lease_watch.expect(&self.lease, version, by);
    }
}

async fn send(
    api: &LeaseApi,
    name: &LeaseName,
    write: &Write,
    lease: Lease,
) -> Result<Option<Lease>, RequestError> {
    #[cfg(feature = "mutants")]
    let lease = match faults::send(api, name, write, lease).await {
        ControlFlow::Continue(lease) => lease,
        ControlFlow::Break(answer) => return answer.map(Some),
    };
    match (&write.base, write.kind) {
        (Some(revision), WriteKind::Delete) => api.delete(name, revision).await.map(|()| None),
        (Some(_), _) => api.update(&lease).await.map(Some),
        (None, _) => api.create(lease).await.map(Some),
    }
}

/// An overloaded server has refused the request without looking at it.
fn carried(error: &RequestError) -> Carried {
    let refused = matches!(error, RequestError::Rejected { code, .. } if *code != 429);
    if refused { Carried::Refused } else { Carried::Uncertain }
}

fn retry_after(error: &RequestError) -> Option<Duration> {
    match error {
        RequestError::Rejected { retry_after, .. } => *retry_after,
        RequestError::Conflict | RequestError::NotFound | RequestError::Unknown(_) => None,
    }
}
