//! The task of one candidate: events in, effects out.

mod effects;
#[cfg(feature = "mutants")]
mod faults;
mod objects;
mod requests;
mod rewind;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::announce::Announcer;
use super::candidate::CandidateStatus;
use super::clock::Clock;
use super::commands::{AnnotateError, AnnotationReply, AnnotationSender, Command};
use super::health::Journal;
use super::lease_api::LeaseApi;
use super::lease_watch::{LeaseWatch, WatchUpdate};
use super::options::OnOverrun;
use super::term::Term;
use super::watchdog::Heartbeat;
use super::wire::{ElectionKeys, LeaseMetadata};
use super::work::{self, RunningWork, Work};
use crate::annotations::PendingAnnotations;
use crate::elector::Elector;
use crate::event::{Context, Event};
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::time::{Monotonic, Now};
use crate::timings::Timings;
use crate::validity::Validity;

use objects::Objects;
use requests::{Request, RequestResult};

/// What all candidates of a process share.
pub(super) struct Common {
    pub(super) api: LeaseApi,
    pub(super) election_keys: ElectionKeys,
    pub(super) lease_watch: Arc<LeaseWatch>,
    pub(super) journal: Arc<Journal>,
    pub(super) heartbeat: Arc<Heartbeat>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) user_runtime: Handle,
    pub(super) announcer: Announcer,
    pub(super) identity: Identity,
    pub(super) timings: Timings,
    pub(super) on_overrun: OnOverrun,
    /// Events on Leases that are still being written.
    pub(super) announcements: tokio_util::task::TaskTracker,
}

impl Common {
    fn is_un_suffixed(&self, lease: &LeaseName) -> bool {
        *lease == self.announcer.id.lease_name()
    }
}

pub(super) struct Task {
    common: Arc<Common>,
    lease: LeaseName,
    metadata: LeaseMetadata,
    announce: bool,
    /// The holder that was last logged as the one that this candidate waits for.
    waits_for: Option<Identity>,
    /// It has already been logged that the Lease will be created with a placeholder.
    has_told_reserve: bool,
    annotation_sender: AnnotationSender,
    elector: Elector,
    work: Arc<dyn Work>,
    running: Option<RunningWork>,
    term: Option<Term>,
    /// When the current write was sent. The term that it may begin counts from then.
    acquisition_sent: Now,
    objects: Objects,
    pending: PendingAnnotations<AnnotationReply>,
    requests: FuturesUnordered<Request>,
    /// The number of the history to which everything known belongs.
    history: u64,
    status: watch::Sender<CandidateStatus>,
    rng: fastrand::Rng,
    /// Set when it has to stop: until then the Lease may be released.
    release_by: Option<Monotonic>,
}

impl Task {
    #[expect(clippy::too_many_arguments, reason = "called once, by the one who gathered them")]
    pub(super) fn new(
        common: Arc<Common>,
        lease: LeaseName,
        metadata: LeaseMetadata,
        announce: bool,
        annotation_sender: AnnotationSender,
        elector: Elector,
        work: Arc<dyn Work>,
        status: watch::Sender<CandidateStatus>,
        seed: u64,
    ) -> Self {
        Self {
            common,
            lease,
            metadata,
            announce,
            waits_for: None,
            has_told_reserve: false,
            annotation_sender,
            elector,
            work,
            running: None,
            term: None,
            acquisition_sent: Now::default(),
            objects: Objects::default(),
            pending: PendingAnnotations::default(),
            requests: FuturesUnordered::new(),
            history: 0,
            status,
            rng: fastrand::Rng::with_seed(seed),
            release_by: None,
        }
    }

    /// Contends until it is asked to stop, and then runs until everything is released.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut updates = self.common.lease_watch.listen(&self.lease);
        self.history = self.common.lease_watch.rewinds();
        self.handle_event(Event::WatchHealthy(self.common.lease_watch.is_healthy()));
        while !self.has_stopped() {
            let clock = Arc::clone(&self.common.clock);
            let timeout = [self.elector.next_timeout(), self.give_up_at()].into_iter().flatten().min();
            tokio::select! {
                Some(outcome) = self.requests.next() => self.answered(outcome),
                command = commands.recv(), if self.release_by.is_none() => {
                    self.handle_command(command.unwrap_or(Command::Shutdown(Duration::MAX)));
                }
                Some(update) = updates.recv() => self.handle_update(update),
                () = work::ended(&mut self.running) => self.join_work(),
                () = sleep_until(clock, timeout) => self.handle_event(Event::Timeout),
            }
        }
    }

    /// Whether it was asked to stop, and there is nothing left to do or no time left.
    fn has_stopped(&self) -> bool {
        let Some(release_by) = self.release_by else { return false };
        if self.elector.is_at_rest() {
            return true;
        }
        let late = !self.elector.has_work() && self.common.clock.now().monotonic >= release_by;
        if late {
            tracing::warn!(
                lease = %self.lease,
                "the Lease could not be released in time; it expires, and others take it then"
            );
        }
        late
    }

    /// Until when to wait for the release. The work is awaited in any case.
    fn give_up_at(&self) -> Option<Monotonic> {
        self.release_by.filter(|_| !self.elector.has_work())
    }

    fn join_work(&mut self) {
        let running = self.running.take();
        if let Some(given_up) = running.and_then(|running| running.term.close()) {
            self.handle_event(Event::Unanswered { given_up });
        }
        self.handle_event(Event::WorkEnded);
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::AcquireDelay(acquire_delay) => self.handle_event(Event::AcquireDelay(acquire_delay)),
            Command::Successors(successors) => self.handle_event(Event::Successors(successors)),
            Command::Contend(contend) => self.handle_event(Event::Contend(contend)),
            Command::StepDown(successor) => self.handle_event(Event::StepDown { successor }),
            Command::Abandon => self.handle_event(Event::Abandon),
            Command::Annotate(annotations, tell) => {
                if let Err(error) = self.common.election_keys.check(&annotations) {
                    let _ = tell.send(Err(AnnotateError::Invalid(error)));
                } else if self.term.is_some() {
                    self.pending.add(annotations, tell);
                    if self.pending.would_be_carried() {
                        self.handle_event(Event::RenewSoon);
                    }
                } else {
                    let _ = tell.send(Err(AnnotateError::NotLeading));
                }
            }
            Command::Shutdown(limit) => {
                self.release_by = Some(self.common.clock.now().monotonic + limit);
                self.handle_event(Event::Contend(false));
                self.handle_event(Event::StepDown { successor: None });
            }
        }
    }

    fn handle_update(&mut self, update: WatchUpdate) {
        match update {
            WatchUpdate::Lease(history, _) | WatchUpdate::Gone(history, _) if history != self.history => {
                // It belongs to an earlier history, or to one that `Rewound` has not announced yet.
            }
            WatchUpdate::Lease(_, lease) => {
                if let Some(observed) = self.remember(&lease) {
                    self.handle_event(Event::Watched(observed));
                }
            }
            WatchUpdate::Gone(_, uid) => self.handle_event(Event::Vanished(uid)),
            WatchUpdate::WatchHealthy(healthy) => self.handle_event(Event::WatchHealthy(healthy)),
            WatchUpdate::Rewound(history) if history <= self.history => {}
            WatchUpdate::Rewound(history) => {
                self.history = history;
                self.objects = Objects::default();
                self.handle_event(Event::Rewound);
            }
        }
    }

    fn answered(&mut self, outcome: RequestResult) {
        let event = self.settle(outcome);
        self.handle_event(event);
    }

    /// Passes an event to the state machine and executes the effects. The validity is published first, so that nobody uses an old
    /// one while the effects are executed.
    fn handle_event(&mut self, event: Event) {
        let cx = self.context();
        self.elector.handle(event, &cx);
        if let Some(term) = &self.term {
            term.set_validity(self.elector.validity().unwrap_or_else(Validity::over));
        }
        while let Some(effect) = self.elector.poll_effect() {
            self.carry_out(effect, cx.now);
        }
        self.tell_whom_it_waits_for();
        self.publish();
    }

    /// Logs once for each holder whom this candidate waits for. Otherwise a standby would log nothing.
    fn tell_whom_it_waits_for(&mut self) {
        let Some((holder, duration)) = self.elector.waits_for().filter(|_| self.announce) else { return };
        if self.waits_for.as_ref() != Some(holder) {
            let (lock, lease, seconds) = (self.common.api.lock().noun(), &self.lease, duration.as_secs());
            let waits = format!(
                "waiting for {holder}, which holds {lock} {lease}, to release it, or not to renew it for {seconds} s"
            );
            // With many shards there are many holders, so only the Lease of the operator itself is logged by default; the others at debug level.
            if self.common.is_un_suffixed(lease) {
                tracing::info!("{waits}");
            } else {
                tracing::debug!("{waits}");
            }
            self.waits_for = Some(holder.clone());
        }
    }

    fn context(&mut self) -> Context {
        let limit = self.common.timings.retry_period();
        let term_lives = self.term.as_ref().is_none_or(|term| term.is_responsive(limit));
        Context {
            now: self.common.clock.now(),
            wall: self.common.clock.wall(),
            roll: self.rng.f64(),
            work_alive: term_lives && self.common.heartbeat.is_recent(limit),
        }
    }

    fn publish(&self) {
        let lease = self.elector.lease();
        let status = CandidateStatus {
            state: self.elector.state(),
            holder: lease.and_then(|lease| lease.record.holder.clone()),
            term: self.term.clone(),
        };
        self.status.send_if_modified(|current| {
            let token = |status: &CandidateStatus| status.term.as_ref().map(Term::token);
            let changed = current.state != status.state
                || current.holder != status.holder
                || token(current) != token(&status);
            *current = status;
            changed
        });
    }
}

async fn sleep_until(clock: Arc<dyn Clock>, instant: Option<Monotonic>) {
    match instant {
        Some(instant) => clock.sleep(instant.duration_since(clock.now().monotonic)).await,
        None => std::future::pending().await,
    }
}
