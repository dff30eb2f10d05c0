//! LeaderElection off: one process is told that it is the only one, and works without a Lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::candidate::{AnnotateError, CandidateStatus, Command, Notes};
use super::clock::Clock;
use super::term::Term;
use super::work::{RunningWork, Work};
use crate::elector::State;
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::revision::FencingToken;
use crate::time::Validity;

/// The candidate that has no rival.
pub(super) struct Unelected {
    pub(super) lease: LeaseName,
    pub(super) identity: Identity,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) user_runtime: Handle,
    pub(super) drain_timeout: Duration,
    pub(super) work: Arc<dyn Work>,
    pub(super) notes: Notes,
    pub(super) status: watch::Sender<CandidateStatus>,
}

impl Unelected {
    /// Runs the work once, until it returns or is told to stop.
    pub(super) async fn run(self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let term = Term::new(
            self.lease.clone(),
            self.identity.clone(),
            FencingToken(0),
            Validity::unlimited(),
            self.clock.now(),
            Arc::clone(&self.clock),
            self.notes.clone(),
        );
        self.publish(State::Leader, Some(&term));
        let mut running = RunningWork::start(&self.work, &term, &self.user_runtime);
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                _ = &mut running.ended => break,
                command = commands.recv() => stopping = is_an_end(command),
            }
        }
        if stopping {
            self.publish(State::Releasing, Some(&term));
            term.drain();
            tokio::select! {
                _ = &mut running.ended => {}
                () = self.clock.sleep(self.drain_timeout) => {
                    running.abort();
                    drop((&mut running.ended).await);
                }
            }
        }
        term.set_validity(Validity::over());
        self.publish(State::Standby, None);
    }

    fn publish(&self, state: State, term: Option<&Term>) {
        let holder = term.map(|term| term.identity().clone());
        self.status.send_replace(CandidateStatus { state, holder, term: term.cloned() });
    }
}

/// There is nobody to step down for, and no Lease to note anything on.
fn is_an_end(command: Option<Command>) -> bool {
    match command {
        None | Some(Command::Shutdown(_)) => true,
        Some(Command::Annotate(_, tell)) => {
            let _ = tell.send(Err(AnnotateError::NotLeading));
            false
        }
        Some(
            Command::Patience(_)
            | Command::Successors(_)
            | Command::Stand(_)
            | Command::StepDown(_)
            | Command::Abandon,
        ) => false,
    }
}
