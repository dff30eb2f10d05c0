//! The world: whatever happens, in the order of true time.
//!
//! # How time passes
//!
//! Each replica's machine runs by itself for a window of true time, one after the other. That is exact, as no message takes
//! less than [`LEAST_LATENCY`](crate::schedule::LEAST_LATENCY) (L): whatever a machine sends in the window from t on arrives
//! at t + L or later, so before the window the server can carry out all that arrives before t + L; and what it answers to
//! requests that arrive at t + L or later is back at t + 2L or later. So a window of 2L misses nothing.
//!
//! Faults, edits and starts happen between two windows.

mod actors;
mod child;
mod dead_connections;
mod definition;
mod faults;
mod finalizer;
mod finish;
mod interference;
mod names;
mod process;
mod profiles;
mod request;
mod restore;
mod run_log;
mod settled;
mod state_dirs;
mod traffic;
mod unsharded;
mod wanted_shards;
mod watches;

use std::collections::BTreeMap;
use std::time::Duration;

use self::actors::Actors;
use self::dead_connections::UnansweredRequests;
use self::interference::{Change, Interference};
use self::process::Process;
use self::restore::Backup;
use self::run_log::RunLog;
use self::state_dirs::StateDir;
use self::traffic::Arrival;
use self::unsharded::Unsharded;
use self::watches::{WatchId, Watches};
use crate::api::Api;
use crate::checks::bounds::Bounds;
use crate::network::Network;
use crate::schedule::{FaultKind, LEAST_LATENCY, Schedule, Slot};
use crate::seed::stream;
use crate::time::TrueTime;
use crate::trace::Trace;

/// Machines set their timers by the millisecond and may end a window late by one.
const ROUNDING: Duration = Duration::from_millis(1);

/// How often the world looks whether everything is as asked for, once it is quiet.
const CONVERGENCE_CHECKS: Duration = Duration::from_millis(500);

pub use self::finish::Run;

pub(crate) struct World {
    schedule: Schedule,
    /// Where the machines are; the server is ahead of them by [`LEAST_LATENCY`].
    now: TrueTime,
    /// What happens between two windows.
    plans: BTreeMap<(TrueTime, u64), Plan>,
    /// What happens at the server.
    arrivals: BTreeMap<(TrueTime, u64), ServerEvent>,
    /// Breaks ties, in order of making.
    made: u64,
    processes: Vec<Process>,
    /// Who is in each slot.
    slots: Vec<Option<usize>>,
    /// What outlives the processes in each slot.
    state_dirs: Vec<StateDir>,
    /// How many shards a process that starts in each slot is set to.
    shards_in: Vec<u16>,
    network: Network,
    api: Api,
    watches: Watches,
    unanswered: UnansweredRequests,
    actors: Actors,
    interference: Interference,
    /// By the fault that restores them.
    backups: BTreeMap<usize, Backup>,
    unsharded: Option<Unsharded>,
    rng: fastrand::Rng,
    run_log: RunLog,
    phase: Phase,
}

/// What happens between two windows.
enum Plan {
    /// A process starts, unless one is in the slot.
    Start(Slot),
    FaultBegins(usize),
    FaultEnds(usize),
    Edit(usize),
    /// etcd is backed up, for a restore by this fault.
    BackUp(usize),
    /// The operator that does not shard looks at the coordinator Lease.
    Unsharded,
    /// Time to look whether everything is as asked for.
    Look,
}

/// What happens at the server.
enum ServerEvent {
    /// A request arrives.
    Arrives(Box<Arrival>),
    /// A watch has lasted as long as it was to.
    WatchEnds(WatchId),
    /// A watch is told how far the server has come.
    Bookmark(WatchId),
    /// Somebody changes a child.
    ChildChanges(Box<Change>),
    /// The servers of a StatefulSet are ready.
    Ready(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Faults and edits go on.
    Busy,
    /// They are over.
    Quiet,
    /// Everything is as asked for; the world goes on until then.
    Calm(TrueTime),
}

impl World {
    pub(crate) fn new(schedule: &Schedule, keep_trace: bool) -> Self {
        let mut world = Self {
            now: TrueTime::START,
            plans: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            made: 0,
            processes: Vec::new(),
            slots: vec![None; schedule.replicas.len()],
            state_dirs: vec![StateDir::default(); schedule.replicas.len()],
            shards_in: vec![schedule.shards; schedule.replicas.len()],
            network: Network::new(schedule),
            api: Api::new(schedule.seed),
            watches: Watches::default(),
            unanswered: UnansweredRequests::default(),
            actors: Actors::new(schedule),
            interference: Interference::new(schedule.seed),
            backups: BTreeMap::new(),
            unsharded: None,
            rng: stream(schedule.seed, "world"),
            run_log: RunLog::new(schedule, Trace::new(keep_trace)),
            phase: Phase::Busy,
            schedule: schedule.clone(),
        };
        if schedule.key_label {
            finalizer::guard(world.api.machine());
        }
        world.install();
        world.plan();
        world
    }

    /// Everything that the schedule says, as events.
    fn plan(&mut self) {
        let schedule = self.schedule.clone();
        for (slot, replica) in schedule.replicas.iter().enumerate() {
            self.plan_at(replica.starts, Plan::Start(Slot(slot)));
        }
        for (number, fault) in schedule.faults.iter().enumerate() {
            if let FaultKind::Restore { backup } = fault.what {
                self.plan_at(backup, Plan::BackUp(number));
            }
            self.plan_at(fault.at, Plan::FaultBegins(number));
        }
        for (number, edit) in schedule.edits.iter().enumerate() {
            self.plan_at(edit.at, Plan::Edit(number));
        }
        self.plan_at(TrueTime::after_start(schedule.busy_for), Plan::Look);
    }

    pub(crate) fn run(mut self) -> Run {
        let window = (2 * LEAST_LATENCY).saturating_sub(ROUNDING);
        while !self.is_over() {
            // For whoever reads the clocks of the operating system in spite of all seams.
            sealed_process::set_time(self.now.since_start());
            self.serve(self.now);
            self.carry_out_plans();
            self.serve(self.now + LEAST_LATENCY);
            let until = self.now + window;
            for process in &mut self.processes {
                process.run_until(until);
            }
            self.now = until;
            self.collect_sent();
            self.collect_ends();
        }
        self.finish()
    }

    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Busy => false,
            Phase::Quiet => {
                self.now.since(self.run_log.quiet_from) > Bounds::of(&self.schedule).convergence_limit()
            }
            Phase::Calm(until) => self.now >= until,
        }
    }

    /// Whatever happens at the server before `until`.
    fn serve(&mut self, until: TrueTime) {
        while let Some(next) = self.arrivals.first_entry().filter(|next| next.key().0 < until) {
            let ((at, _), event) = next.remove_entry();
            match event {
                ServerEvent::Arrives(arrival) => self.arrive(at, *arrival),
                ServerEvent::WatchEnds(watch) => self.watches.end(watch),
                ServerEvent::Bookmark(watch) => self.bookmark(at, watch),
                ServerEvent::ChildChanges(change) => self.change_child(at, *change),
                ServerEvent::Ready(set) => self.make_ready(at, &set),
            }
        }
    }

    fn carry_out_plans(&mut self) {
        while let Some(next) = self.plans.first_entry().filter(|next| next.key().0 <= self.now) {
            match next.remove() {
                Plan::Start(slot) => self.start(slot),
                Plan::FaultBegins(number) => self.begin_fault(number),
                Plan::FaultEnds(number) => self.end_fault(number),
                Plan::Edit(number) => self.edit(number),
                Plan::BackUp(number) => self.back_up(number),
                Plan::Unsharded => self.run_unsharded(),
                Plan::Look => self.look(),
            }
        }
    }

    fn plan_at(&mut self, time: TrueTime, plan: Plan) {
        self.made += 1;
        self.plans.insert((time, self.made), plan);
    }

    fn serve_at(&mut self, time: TrueTime, event: ServerEvent) {
        self.made += 1;
        self.arrivals.insert((time, self.made), event);
    }

    /// Puts something on the way to a machine.
    fn deliver(&mut self, process: usize, at: TrueTime, delivery: impl FnOnce() + 'static) {
        self.made += 1;
        self.processes[process].deliver(at, self.made, Box::new(delivery));
    }

    fn look(&mut self) {
        if self.phase == Phase::Busy {
            if self.run_log.faults_on() > 0 {
                self.plan_at(self.now + CONVERGENCE_CHECKS, Plan::Look);
                return;
            }
            self.phase = Phase::Quiet;
            self.run_log.quiet_from = self.now;
            self.restore_layout();
            self.fill_slots();
        }
        if self.phase == Phase::Quiet {
            let missing = self.missing();
            if missing.is_empty() {
                self.run_log.converged = Some(self.now);
                let timings = self.schedule.timings;
                self.phase = Phase::Calm(self.now + timings.lease_duration + 4 * timings.retry_period);
            } else {
                self.run_log.missing = missing;
                self.plan_at(self.now + CONVERGENCE_CHECKS, Plan::Look);
            }
        }
    }
}
