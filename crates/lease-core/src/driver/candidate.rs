//! The handle of a candidate.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::commands::{AnnotateError, AnnotationSender, Command};
use super::term::Term;
use crate::annotations::AnnotationChanges;
use crate::config::Successors;
use crate::elector::State;
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::revision::Revision;

/// The status of a candidate.
#[derive(Clone, Debug)]
pub struct CandidateStatus {
    /// The state of the state machine.
    pub state: State,
    /// The holder of the Lease that was seen last. It may have crashed long ago.
    pub holder: Option<Identity>,
    /// The current term of this process, if it is the leader.
    pub term: Option<Term>,
}

/// A candidate for one Lease: a handle to its task. Dropping it is like [`shutdown`](Self::shutdown) without waiting.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn forgets(elections: lease_core::Elections) {
/// elections.lead(|term: lease_core::Term| async move { term.draining().await }); // dropped at once, so it never becomes the leader
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a candidate that is dropped stops contending and releases its Lease; keep it, and shut it down at the end"]
pub struct Candidate {
    pub(super) lease: LeaseName,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) status: watch::Receiver<CandidateStatus>,
    pub(super) task: JoinHandle<()>,
    /// The default limit of a shutdown.
    pub(super) shutdown_limit: Duration,
}

impl Candidate {
    /// The name of the Lease.
    pub fn lease(&self) -> &LeaseName {
        &self.lease
    }

    /// From now on, how long to leave a free Lease to other candidates. Default: [`CandidateOptions::acquire_delay`](crate::CandidateOptions).
    pub fn set_acquire_delay(&self, acquire_delay: Duration) {
        self.tell(Command::AcquireDelay(acquire_delay));
    }

    /// From now on, which successors to wait for when a release names one. Default: any.
    pub fn set_successors(&self, successors: Successors) {
        self.tell(Command::Successors(successors));
    }

    /// Whether to contend from now on. A leader stays the leader.
    pub fn contend(&self, contend: bool) {
        self.tell(Command::Contend(contend));
    }

    /// If this process is the leader: lets the work finish, then releases the Lease in favour of `successor`. Afterwards it contends again, but
    /// leaves the Lease to other candidates first.
    pub fn step_down(&self, successor: Option<Identity>) {
        self.tell(Command::StepDown(successor));
    }

    /// If this process is the leader: ends the term at once, as after a loss. The work is aborted and joined. Then the Lease is released,
    /// unless this candidate still contends ([`contend`](Self::contend)).
    pub fn abandon(&self) {
        self.tell(Command::Abandon);
    }

    /// Sets annotations on the Lease (or removes them, with `None`). They are written with the next renewal, which is sent at once.
    /// They can only be written while this process holds the Lease.
    ///
    /// # Errors
    ///
    /// See [`AnnotateError`]. An annotation that the API server refuses costs one renewal, but not the Lease.
    pub async fn annotate(&self, annotations: AnnotationChanges) -> Result<Revision, AnnotateError> {
        AnnotationSender::to(&self.commands).write(annotations).await
    }

    /// The status, now and after every change.
    pub fn status(&self) -> watch::Receiver<CandidateStatus> {
        self.status.clone()
    }

    /// The current term of this process, if it is the leader.
    pub fn term(&self) -> Option<Term> {
        self.status.borrow().term.clone()
    }

    /// Resolves when this process is the leader. Never resolves if the task has ended.
    pub async fn leading(&self) -> Term {
        let mut status = self.status.clone();
        match status.wait_for(|status| status.term.is_some()).await.map(|status| status.term.clone()) {
            Ok(Some(term)) => term,
            _ => std::future::pending().await,
        }
    }

    /// Stops contending. If this process is the leader, lets the work finish and releases the Lease (ReleaseOnCancel). Returns when
    /// this is done, or after the drain timeout plus one request timeout ([`Timings::request_timeout`]).
    ///
    /// [`Timings::request_timeout`]: crate::Timings::request_timeout
    pub async fn shutdown(self) {
        let limit = self.shutdown_limit;
        self.shutdown_within(limit).await;
    }

    /// Like [`shutdown`](Self::shutdown), with another limit.
    ///
    /// The limit applies to the requests to the API server, not to the work. The work ends by itself, at its drain timeout, or with the
    /// validity of the Lease, and is joined in any case. A Lease that was not released in time has to expire, so others take it
    /// up to LeaseDuration later.
    pub async fn shutdown_within(self, limit: Duration) {
        self.tell(Command::Shutdown(limit));
        if self.task.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the task of the candidate for lease {} has panicked", self.lease);
        }
    }

    fn tell(&self, command: Command) {
        // The task ends only with the elections of the process. Then commands have no effect any more.
        let _ = self.commands.send(command);
    }
}
