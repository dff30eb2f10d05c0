//! LeaderElection off: one process is told that it is the only one, and works without a Lease.

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

/// The candidate that has no rival: it leads whenever it contends.
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

/// What becomes of the candidate.
enum Next {
    Contend,
    Wait,
    Shutdown,
}

impl Unelected {
    /// Leads whenever it contends, until the work returns or the candidate is shut down.
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
        );
        self.publish(State::Leader, Some(&term));
        let mut running = RunningWork::start(&self.work, &term, &self.user_runtime);
        let next = loop {
            tokio::select! {
                // As with a Lease, work that returns has had its term. There is nobody else whose turn it would be.
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
                    // A leader goes on leading, whether it would contend again or not.
                    Some(Command::Contend(contend)) => self.contend = contend,
                    Some(command) => self.ignore(command),
                },
            }
        };
        term.set_validity(Validity::over());
        self.publish(State::Standby, None);
        next
    }

    /// Lets the work finish, for as long as it may take.
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

    /// There is nobody to step down for or to wait for, and no Lease to annotate.
    fn ignore(&mut self, command: Command) {
        match command {
            Command::Annotate(_, tell) => {
                // Whoever asked may have gone.
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
