//! Leader election off: the process is the only replica, and works without a Lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::candidate::CandidateStatus;
use super::clock::Clock;
use super::commands::{AnnotateError, AnnotationSender, Command};
use super::term::Term;
use super::work::{RunningWork, Work};
use crate::elector::State;
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::revision::FencingToken;
use crate::validity::Validity;

/// A candidate without competitors: it is the leader whenever it contends.
pub(super) struct Unelected {
    pub(super) lease: LeaseName,
    pub(super) identity: Identity,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) user_runtime: Handle,
    pub(super) drain_timeout: Duration,
    pub(super) work: Arc<dyn Work>,
    pub(super) annotation_sender: AnnotationSender,
    pub(super) status: watch::Sender<CandidateStatus>,
    /// Whether to contend from the start.
    pub(super) contend: bool,
}

/// What the candidate does next.
enum Next {
    Contend,
    Wait,
    Shutdown,
}

impl Unelected {
    /// Is the leader whenever it contends, until the work returns or the candidate is shut down.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut next = if self.contend { Next::Contend } else { Next::Wait };
        loop {
            next = match next {
                Next::Shutdown => return,
                Next::Wait => {
                    self.publish(State::Standby, None);
                    self.told_to_contend(&mut commands).await
                }
                Next::Contend => self.lead(&mut commands).await,
            };
        }
    }

    async fn told_to_contend(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> Next {
        loop {
            match commands.recv().await {
                None | Some(Command::Shutdown(_)) => return Next::Shutdown,
                Some(Command::Contend(true)) => {
                    self.contend = true;
                    return Next::Contend;
                }
                Some(command) => self.ignore(command),
            }
        }
    }

    /// One term.
    async fn lead(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> Next {
        let term = Term::new(
            self.lease.clone(),
            self.identity.clone(),
            FencingToken(0),
            Validity::unlimited(),
            self.clock.now(),
            Arc::clone(&self.clock),
            self.annotation_sender.clone(),
            BTreeMap::new(),
        );
        self.publish(State::Leader, Some(&term));
        let mut running = RunningWork::start(&self.work, &term, &self.user_runtime);
        let next = loop {
            tokio::select! {
                // As with a Lease, the term ends when the work returns. There is no other candidate that could take over.
                _ = &mut running.ended => break Next::Wait,
                command = commands.recv() => match command {
                    None | Some(Command::Shutdown(_)) => {
                        self.drain(&term, &mut running).await;
                        break Next::Shutdown;
                    }
                    Some(Command::Abandon) => {
                        term.set_validity(Validity::over());
                        term.drain();
                        running.abort();
                        drop((&mut running.ended).await);
                        break if self.contend { Next::Contend } else { Next::Wait };
                    }
                    // This does not end the current term.
                    Some(Command::Contend(contend)) => self.contend = contend,
                    Some(command) => self.ignore(command),
                },
            }
        };
        term.set_validity(Validity::over());
        self.publish(State::Standby, None);
        next
    }

    /// Lets the work finish, within the drain timeout.
    async fn drain(&self, term: &Term, running: &mut RunningWork) {
        self.publish(State::Releasing, Some(term));
        term.drain();
        tokio::select! {
            _ = &mut running.ended => {}
            () = self.clock.sleep(self.drain_timeout) => {
                running.abort();
                drop((&mut running.ended).await);
            }
        }
    }

    /// Commands that have no effect without a Lease and without other candidates.
    fn ignore(&mut self, command: Command) {
        match command {
            Command::Annotate(_, tell) => {
                // The caller may have stopped waiting.
                let _ = tell.send(Err(AnnotateError::NotLeading));
            }
            Command::Contend(contend) => self.contend = contend,
            Command::AcquireDelay(_)
            | Command::Successors(_)
            | Command::StepDown(_)
            | Command::Abandon
            | Command::Shutdown(_) => {}
        }
    }

    fn publish(&self, state: State, term: Option<&Term>) {
        let holder = term.map(|term| term.identity().clone());
        self.status.send_replace(CandidateStatus { state, holder, term: term.cloned() });
    }
}
