//! The processes of the replicas: production code on a machine of the simulation.

mod notes;
mod settings;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lease_core::{EndedProcesses, Identity, OnOverrun};
use memcached_operator::reconcile::{MemcachedReconciler, operator};
use overlap_checker::records::Replica;
use shard_router::ShardsConfigMap;
use tokio::sync::oneshot;

use super::names::{NAMESPACE, SHARDS_CONFIG_MAP};
use super::{Plan, World};
use crate::clock::MachineClock;
use crate::host::{Delivery, Host, Stillness};
use crate::observations::{self, Exit};
use crate::profile;
use crate::schedule::{Schedule, Slot};
use crate::time::TrueTime;
use crate::transport::{Sent, Wire};

use notes::{Notes, Sink};

/// How soon a process that ended by itself is started again.
const RESTARTS_AFTER: Duration = Duration::from_secs(3);

/// One process, running or ended.
pub(super) struct Process {
    pub(super) slot: Slot,
    pub(super) identity: Replica,
    shards: u16,
    ended_before: Vec<Replica>,
    /// Lease writes that have not reached the server.
    pub(super) lease_writes_in_flight: usize,
    started: TrueTime,
    clock: Arc<MachineClock>,
    wire: Arc<Wire>,
    host: Option<Host>,
    notes: Arc<Notes>,
    stop: Option<oneshot::Sender<()>>,
    told_to_stop: bool,
    ended: Option<(TrueTime, Exit)>,
}

/// What is settled about a process before it starts.
struct Started {
    slot: Slot,
    shards: u16,
    /// Counted over all slots.
    number: usize,
    identity: Identity,
    /// What the directory of its Pod tells.
    ended: EndedProcesses,
}

/// Each process has another one.
fn identity(slot: Slot, number: usize) -> Identity {
    let pod = format!("memcached-operator-{}", slot.0);
    Identity::of_pod(&pod, &format!("{number:04}")).expect("it is not empty")
}

impl World {
    /// Starts a process in this slot, if there is none.
    pub(super) fn start(&mut self, slot: Slot) {
        if self.slots[slot.0].is_some() {
            return;
        }
        let number = self.processes.len();
        let shards = self.shards_in[slot.0];
        let identity = identity(slot, number);
        let ended = self.open_state_dir(slot, &identity, self.schedule.replicas[slot.0].uptime);
        let started = Started { slot, shards, number, identity, ended };
        let process = Process::start(&self.schedule, started, self.now);
        self.run_log.trace.line(self.now, format_args!("start {}", process.identity));
        self.slots[slot.0] = Some(number);
        self.processes.push(process);
    }

    /// Everyone who should be there is started.
    pub(super) fn fill_slots(&mut self) {
        for slot in 0..self.slots.len() {
            self.start(Slot(slot));
        }
    }

    /// Takes a process away.
    pub(super) fn take_away(&mut self, process: usize, exit: Exit) {
        let now = self.now;
        let ended = &mut self.processes[process];
        ended.destroy(now, exit);
        let (identity, slot) = (ended.identity.clone(), ended.slot);
        self.run_log.trace.line(now, format_args!("end {identity} {exit:?}"));
        self.forget_watches(process);
        if self.slots[slot.0] == Some(process) {
            self.slots[slot.0] = None;
        }
    }

    /// Notices who has ended by itself in the last window.
    pub(super) fn collect_ends(&mut self) {
        for process in 0..self.processes.len() {
            let Some(exit) = self.processes[process].has_ended() else { continue };
            let slot = self.processes[process].slot;
            self.take_away(process, exit);
            if exit != Exit::Clean {
                self.plan_at(self.now + RESTARTS_AFTER, Plan::Start(slot));
            }
        }
        for process in &self.processes {
            process.trace(&mut self.run_log.trace);
        }
    }

    pub(super) fn in_slot(&self, slot: Slot) -> Option<usize> {
        self.slots[slot.0]
    }
}

impl Process {
    fn start(schedule: &Schedule, started: Started, now: TrueTime) -> Self {
        let Started { slot, shards, number, identity, ended } = started;
        let spec = schedule.replicas[slot.0];
        let clock = MachineClock::new(now, spec.uptime, spec.drift_ppm, spec.wall_offset_ms);
        let wire = Wire::new(Arc::clone(&clock));
        let notes = Arc::new(Notes::default());
        let ended_before = ended.identities().map(|identity| Replica(identity.to_string())).collect();
        let seed = crate::seed::stream(schedule.seed, &format!("process {number}")).u64(..);
        let sink = Sink { notes: Arc::clone(&notes), wire: Arc::clone(&wire), clock: Arc::clone(&clock) };
        let mut options = settings::options(schedule, &identity, &clock, seed);
        options.shards = shards.try_into().expect("schedules have sound shard counts");
        // Whoever is set to another number has the settings of an older release, which knew of no ConfigMap.
        if schedule.shards_config_map && shards == schedule.shards {
            options = options.with_shards_config_map(ShardsConfigMap::new(NAMESPACE, SHARDS_CONFIG_MAP));
        }
        let overrun = Arc::clone(&notes);
        let cut = Arc::clone(&wire);
        options.elections.on_overrun = OnOverrun::Call(Arc::new(move |_| {
            // The process would be gone in this instant: nothing leaves the machine any more.
            overrun.overrun.store(true, Ordering::Relaxed);
            cut.cut();
        }));
        options.elections.ended = ended;
        options.records = Some(Arc::new(sink));
        let reconciler = MemcachedReconciler::new(identity.as_str()).with_clock(clock.clone());
        let reconciler = settings::slowed(reconciler, schedule, seed);
        let outward = Arc::clone(&wire);
        let (stop, stopped) = oneshot::channel::<()>();
        let returned = Arc::clone(&notes);
        let takes = (schedule.profiles > 0).then_some(schedule.reconcile);
        let of_profiles = Arc::clone(&clock);
        let main = async move {
            // A client starts a task of its own, so it is made where tasks can run.
            let client = outward.client(NAMESPACE);
            let shutdown = async { drop(stopped.await) };
            let mut app = operator(client, options, reconciler);
            if let Some(takes) = takes {
                profile::declare(&mut app, of_profiles, takes, seed);
            }
            if let Err(error) = app.run(shutdown).await {
                tracing::error!(%error, "the replica ended");
            }
            returned.returned.store(true, Ordering::Relaxed);
        };
        let host = Host::boot(Arc::clone(&clock), main).expect("a runtime without I/O needs nothing");
        Self {
            slot,
            identity: Replica(identity.to_string()),
            shards,
            ended_before,
            lease_writes_in_flight: 0,
            started: now,
            clock,
            wire,
            host: Some(host),
            notes,
            stop: Some(stop),
            told_to_stop: false,
            ended: None,
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.host.is_some()
    }

    pub(super) fn is_running(&self) -> bool {
        self.host.as_ref().is_some_and(Host::is_running)
    }

    pub(super) fn run_until(&mut self, until: TrueTime) {
        if let Some(host) = &mut self.host {
            host.run_until(until);
        }
    }

    pub(super) fn deliver(&mut self, at: TrueTime, order: u64, delivery: Delivery) {
        if let Some(host) = &mut self.host {
            host.deliver(at, order, delivery);
        }
    }

    pub(super) fn take_sent(&self) -> Vec<Sent> {
        self.wire.take()
    }

    pub(super) fn reconciles_running(&self) -> u64 {
        if self.is_there() { self.notes.running.load(Ordering::Relaxed) } else { 0 }
    }

    /// SIGTERM.
    pub(super) fn tell_to_stop(&mut self) {
        self.told_to_stop = true;
        if let Some(stop) = self.stop.take() {
            // Sent from here, seen by the process when it next runs.
            stop.send(()).unwrap_or_default();
        }
    }

    pub(super) fn stand_still(&mut self, now: TrueTime, how: Stillness) {
        if let Some(host) = &mut self.host {
            host.stop(now, how);
        }
    }

    pub(super) fn go_on(&mut self, now: TrueTime) {
        if let Some(host) = &mut self.host {
            host.go_on(now);
        }
    }

    pub(super) fn set_wall(&self, by_ms: i64) {
        self.clock.set_wall(by_ms);
    }

    fn has_ended(&self) -> Option<Exit> {
        self.host.as_ref()?;
        if self.notes.overrun.load(Ordering::Relaxed) {
            Some(Exit::Overrun)
        } else if self.notes.returned.load(Ordering::Relaxed) {
            Some(if self.told_to_stop { Exit::Clean } else { Exit::Unasked })
        } else {
            None
        }
    }

    fn destroy(&mut self, now: TrueTime, exit: Exit) {
        self.wire.cut();
        self.ended = Some((now, exit));
        if let Some(host) = self.host.take() {
            host.destroy();
        }
    }

    pub(super) fn conclude(self) -> observations::Process {
        observations::Process {
            slot: self.slot,
            identity: self.identity,
            shards: self.shards,
            ended_before: self.ended_before,
            started: self.started,
            ended: self.ended,
            rate: self.clock.rate(),
        }
    }
}
