//! The handle of one election.

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

/// Where a candidate stands.
#[derive(Clone, Debug)]
pub struct CandidateStatus {
    /// The state machine's state.
    pub state: State,
    /// Who holds the Lease, as last seen; may be a holder that is long dead.
    pub holder: Option<Identity>,
    /// The present term of this process.
    pub term: Option<Term>,
}

/// One candidate for one Lease: a handle to its task. Dropping it is like [`shutdown`](Self::shutdown) without waiting.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn forgets(elections: lease_core::Elections) {
/// elections.lead(|term: lease_core::Term| async move { term.draining().await }); // dropped at once, so it never leads
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a candidate that is dropped stops contending and gives up what it holds; keep it, and shut it down at the end"]
pub struct Candidate {
    pub(super) lease: LeaseName,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) status: watch::Receiver<CandidateStatus>,
    pub(super) task: JoinHandle<()>,
    /// How long a shutdown takes unless it is told otherwise.
    pub(super) shutdown_limit: Duration,
}

impl Candidate {
    /// Which Lease.
    pub fn lease(&self) -> &LeaseName {
        &self.lease
    }

    /// How long to leave a free Lease to others from now on.
    pub fn set_acquire_delay(&self, acquire_delay: Duration) {
        self.tell(Command::AcquireDelay(acquire_delay));
    }

    /// Whom to wait for, from now on, when a release names them as successor. Until told, whoever is named.
    pub fn set_successors(&self, successors: Successors) {
        self.tell(Command::Successors(successors));
    }

    /// Contend from now on, or do not. A leader goes on leading.
    pub fn contend(&self, contend: bool) {
        self.tell(Command::Contend(contend));
    }

    /// If this process leads: let the work finish, then release the Lease in favour of `successor`. It contends again
    /// afterwards, after the others.
    pub fn step_down(&self, successor: Option<Identity>) {
        self.tell(Command::StepDown(successor));
    }

    /// If this process leads: end the term at once, as on a loss. The work is aborted and joined, and then the Lease is released
    /// if this candidate does not contend ([`contend`](Self::contend)).
    pub fn abandon(&self) {
        self.tell(Command::Abandon);
    }

    /// Sets annotations on the Lease, in one write with the next renewal, which is brought forward. They can only be
    /// written while this process holds the Lease.
    ///
    /// # Errors
    ///
    /// See [`AnnotateError`]. What is refused costs one renewal, not the Lease.
    pub async fn annotate(&self, annotations: AnnotationChanges) -> Result<Revision, AnnotateError> {
        AnnotationSender::to(&self.commands).write(annotations).await
    }

    /// Where it stands, now and with every change.
    pub fn status(&self) -> watch::Receiver<CandidateStatus> {
        self.status.clone()
    }

    /// The present term of this process, if it leads.
    pub fn term(&self) -> Option<Term> {
        self.status.borrow().term.clone()
    }

    /// Ready once this process leads. For ever pending if the task has ended.
    pub async fn leading(&self) -> Term {
        let mut status = self.status.clone();
        match status.wait_for(|status| status.term.is_some()).await.map(|status| status.term.clone()) {
            Ok(Some(term)) => term,
            _ => std::future::pending().await,
        }
    }

    /// Stops contending; if it leads, lets the work finish and releases the Lease (ReleaseOnCancel). Returns when all of
    /// that is done, or after the drain timeout and one request timeout ([`Timings::request_timeout`]).
    ///
    /// [`Timings::request_timeout`]: crate::Timings::request_timeout
    pub async fn shutdown(self) {
        let limit = self.shutdown_limit;
        self.shutdown_within(limit).await;
    }

    /// Like [`shutdown`](Self::shutdown), with another limit.
    ///
    /// The limit is for the API server's answers. It never cuts the work short: that ends by itself, by its drain timeout or with the
    /// validity of the Lease, and is joined in any case. A Lease that was not released in time expires, so others take it
    /// up to LeaseDuration later.
    pub async fn shutdown_within(self, limit: Duration) {
        self.tell(Command::Shutdown(limit));
        if self.task.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the task that contended for lease {} had panicked", self.lease);
        }
    }

    fn tell(&self, command: Command) {
        // The task ends only with the process' elections; then there is nothing left to ask for.
        let _ = self.commands.send(command);
    }
}
