//! The pipeline, put together.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Client;
use kube::runtime::controller::Action;
use lease_core::{Clock, SystemClock};
use parking_lot::Mutex;
use shard_router::Applier;

use super::apply::{Applied, apply};
use super::build::build;
use super::delay::Delay;
use super::error::{ReconcileError, key};
use super::events::{self, Published};
use super::fetch::Observed;
use super::pods::{self, Look};
use super::status::{DEGRADED, FAILED, READY, ReportedState, condition, sentences, status, write};
use super::validate::{Problem, validate};
use crate::crd::Memcached;

/// If the first reconcile of a resource takes longer than this, the status says that it has begun. Webhooks may take half a
/// minute, and the user should see that the operator has noticed the resource. Much shorter, and an API server that is slow because it has
/// much to do would get one more write for each resource.
const SAYS_NOTHING_FOR: Duration = Duration::from_secs(5);

/// Reconciles one `Memcached` after the other. Holds no client: each reconcile gets one that works only as long as this
/// replica holds the resource's shard.
#[derive(Clone, Debug)]
pub struct MemcachedReconciler {
    replica: Arc<str>,
    clock: Arc<dyn Clock>,
    delay: Delay,
    applier: Arc<Applier>,
    published: Arc<Mutex<Published>>,
}

impl MemcachedReconciler {
    /// `replica` is named in events as the reporting instance.
    pub fn new(replica: &str) -> Self {
        Self {
            replica: replica.into(),
            clock: Arc::new(SystemClock),
            delay: Delay::from_env(),
            applier: Arc::new(super::applier()),
            published: Arc::default(),
        }
    }

    /// Takes the time that goes into conditions from this clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        let applier = Arc::new(super::applier().with_clock(clock.clone()));
        Self { clock, applier, ..self }
    }

    /// Who applies the children, and reads them.
    pub fn applier(&self) -> &Applier {
        &self.applier
    }

    /// Makes each reconcile wait between reading and writing, for a time drawn from the seed and the version of the resource:
    /// for tests of what happens meanwhile.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_delay(mut self, min: std::time::Duration, max: std::time::Duration, seed: u64) -> Self {
        self.delay = Delay::between(min, max, seed);
        self
    }

    /// The time that goes into conditions.
    pub(super) fn wall(&self) -> k8s_openapi::jiff::Timestamp {
        self.clock.wall()
    }

    /// One reconcile with this client; `seen` is the resource and `children` are its children as the caches have them, `bucket` the label for
    /// the children, as key and value, and `earlier_failures` how many reconciles of it have failed in a row before. Where nothing
    /// differs from what is wanted, nothing is sent.
    ///
    /// # Errors
    /// Whatever is worth another attempt. An invalid spec is not: it waits for a change.
    pub async fn run(
        &self,
        seen: &Memcached,
        children: Result<Observed, ReconcileError>,
        client: &Client,
        bucket: Option<&(String, String)>,
        earlier_failures: u32,
    ) -> Result<Action, ReconcileError> {
        if seen.metadata.deletion_timestamp.is_some() {
            // Its children go with it.
            self.forget(seen);
            return Ok(Action::await_change());
        }
        let work = async {
            self.delay.pass(seen, self.clock.as_ref()).await;
            match children {
                Ok(observed) => {
                    let result = Box::pin(self.converge(seen, client, bucket, &observed)).await;
                    (observed, result)
                }
                Err(error) => (Observed::default(), Err(Failure::Error(error))),
            }
        };
        let (memcached, (observed, result)) = self.beginning(client, seen, work).await;
        let Some(memcached) = memcached? else {
            self.forget(seen);
            return Ok(Action::await_change());
        };
        let servers = observed.stateful_set.as_deref();
        match result {
            Ok((applied, look)) => {
                let servers = applied.stateful_set.as_deref();
                let outcome = match (applied.disputes.as_slice(), look.finding) {
                    ([], finding) => finding.map_or(ReportedState::Applied, ReportedState::NotReady),
                    (disputes, finding) => ReportedState::Disputed { disputes: disputes.to_vec(), finding },
                };
                Box::pin(self.report(client, &memcached, servers, outcome, Some(&applied))).await?;
                let again = applied.again.into_iter().chain(look.again).min();
                Ok(again.map_or_else(Action::await_change, Action::requeue))
            }
            Err(Failure::Invalid(problems)) => {
                let because = sentences(&problems);
                tracing::warn!(
                    memcached = key(&memcached),
                    because,
                    "the spec is invalid; waiting for a change"
                );
                Box::pin(self.report(client, &memcached, servers, ReportedState::Invalid(problems), None))
                    .await?;
                Ok(Action::await_change())
            }
            Err(Failure::Error(error)) => {
                self.tell(client, &memcached, servers, &error, earlier_failures).await;
                Err(error)
            }
        }
    }

    /// Reports a failure in the status of the resource. If that fails, the failure is only logged.
    async fn tell(
        &self,
        client: &Client,
        memcached: &Memcached,
        servers: Option<&StatefulSet>,
        error: &ReconcileError,
        earlier_failures: u32,
    ) {
        if !is_due(memcached, error, earlier_failures) {
            return;
        }
        let outcome = if error.needs_a_person() {
            ReportedState::Blocked(error.to_string())
        } else {
            ReportedState::Failing(error.to_string())
        };
        if let Err(untold) = Box::pin(self.report(client, memcached, servers, outcome, None)).await {
            tracing::warn!(memcached = key(memcached), error = %untold, "a failure could not be reported in the status");
        }
    }

    /// Does the work. If that takes long and the resource has no status yet, writes meanwhile that the first reconcile has begun.
    /// Returns the state of the resource afterwards, `None` if it was deleted.
    ///
    /// Usually the work ends sooner, so this write is not necessary.
    async fn beginning<'a, T>(
        &self,
        client: &Client,
        memcached: &'a Memcached,
        work: impl Future<Output = T>,
    ) -> (Result<Option<Cow<'a, Memcached>>, ReconcileError>, T) {
        let mut work = pin!(work);
        let conditions = memcached.status.as_ref().map_or(&[][..], |status| &status.conditions);
        // `Unknown` is the default in the CRD, for a resource that has not been processed yet.
        if condition(conditions, READY).is_some_and(|ready| ready.status != "Unknown") {
            return (Ok(Some(Cow::Borrowed(memcached))), work.await);
        }
        tokio::select! {
            biased;
            done = &mut work => return (Ok(Some(Cow::Borrowed(memcached))), done),
            () = self.clock.sleep(SAYS_NOTHING_FOR) => {}
        }
        let status = status(memcached, None, &ReportedState::Begun, self.clock.wall());
        let (begun, done) = tokio::join!(Box::pin(write(client, memcached, &status)), work);
        (begun, done)
    }

    async fn report(
        &self,
        client: &Client,
        memcached: &Memcached,
        servers: Option<&StatefulSet>,
        outcome: ReportedState,
        applied: Option<&Applied>,
    ) -> Result<(), ReconcileError> {
        let status = status(memcached, servers, &outcome, self.clock.wall());
        let events = events::of_reconcile(memcached, applied, &status);
        write(client, memcached, &status).await?;
        let clock = self.clock.as_ref();
        Box::pin(events::publish(client, memcached, &self.replica, &events, &self.published, clock)).await;
        Ok(())
    }

    async fn converge(
        &self,
        memcached: &Memcached,
        client: &Client,
        bucket: Option<&(String, String)>,
        observed: &Observed,
    ) -> Result<(Applied, Look), Failure> {
        let fleet = validate(memcached).map_err(Failure::Invalid)?;
        let children = build(&fleet, bucket);
        let applied = apply(client, memcached, children, observed, &self.applier);
        let applied = Box::pin(applied).await.map_err(Failure::Error)?;
        let look = match &applied.stateful_set {
            Some(servers) => Box::pin(pods::look(client, memcached, servers, self.wall())).await,
            None => Ok(Look::default()),
        };
        Ok((applied, look.map_err(Failure::Error)?))
    }

    /// Drops what was kept for a resource that is gone.
    fn forget(&self, gone: &Memcached) {
        let uid = gone.metadata.uid.as_deref().unwrap_or_default();
        self.applier.forget(uid);
        self.published.lock().forget(uid);
    }
}

/// Whether to report a failure at this attempt.
///
/// A single failure may be a conflict, or a restart of the API server. A failure that continues is reported again only at every fourth
/// attempt: each write of the status comes back through the watch and triggers the next attempt early, so errors that differ
/// each time would bypass the backoff.
fn is_due(memcached: &Memcached, error: &ReconcileError, earlier_failures: u32) -> bool {
    let status = memcached.status.as_ref();
    let is_told = status.is_some_and(|status| {
        status.observed_generation == memcached.metadata.generation
            && condition(&status.conditions, DEGRADED)
                .is_some_and(|degraded| degraded.status == "True" && degraded.reason == FAILED)
    });
    if is_told {
        earlier_failures <= 2 || earlier_failures.is_multiple_of(4)
    } else {
        earlier_failures > 0 || error.needs_a_person()
    }
}

enum Failure {
    Invalid(Vec<Problem>),
    Error(ReconcileError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::finding::{Finding, PodFailure};
    use crate::reconcile::testing::memcached;
    use serde_json::json;
    use shard_router::ApplyError;

    fn failing() -> ReconcileError {
        ApplyError::Leftover { child: "Service sessions".into(), owner_kind: "Memcached".into() }.into()
    }

    /// Attempts at which a failure that goes on is told, with a message that differs each time.
    fn told(error: &ReconcileError) -> Vec<u32> {
        let mut resource = memcached(json!({}));
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        let due = |earlier_failures: &u32| {
            let due = is_due(&resource, error, *earlier_failures);
            if due {
                let outcome =
                    ReportedState::Failing(format!("error {}", "x".repeat(*earlier_failures as usize)));
                resource.status = Some(status(&resource, None, &outcome, now));
            }
            due
        };
        (0..20).filter(due).collect()
    }

    #[test]
    fn a_failure_is_told_the_second_time_and_then_now_and_then() {
        assert_eq!(told(&failing()), [1, 2, 4, 8, 12, 16]);
    }

    #[test]
    fn servers_that_are_not_ready_make_no_failure_told_sooner() {
        let mut resource = memcached(json!({}));
        let reason = "CrashLoopBackOff";
        let failure = PodFailure { reason, message: "it ends".into(), is_quote: false };
        let outcome = ReportedState::NotReady(Finding::Failure(failure));
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        resource.status = Some(status(&resource, None, &outcome, now));
        assert!(!is_due(&resource, &failing(), 0));
        assert!(is_due(&resource, &failing(), 1));
    }

    #[test]
    fn what_needs_a_person_is_told_at_once() {
        let (child, owner_kind, owner) = ("Service sessions".into(), "Memcached".into(), "nobody".into());
        let error = ApplyError::NotOurs { child, owner_kind, owner }.into();
        assert_eq!(told(&error), [0, 1, 2, 4, 8, 12, 16]);
    }
}
