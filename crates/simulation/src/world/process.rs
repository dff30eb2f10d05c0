//! The processes of the replicas: production code on a machine of the simulation.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lease_core::{Boottime, ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime, OnOverrun, Timings};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::{MemcachedReconciler, controller};
use overlap_checker::records::{Record, Replica};
use serde_json::Value;
use shard_router::{Backoff, Options, RecordSink};
use tokio::sync::oneshot;

use super::names::{LEADER_ELECTION_ID, NAMESPACE, TENANT};
use super::{Plan, World};
use crate::clock::{EPOCH, MachineClock};
use crate::host::{Delivery, Host, Stillness};
use crate::observations::{self, Exit};
use crate::schedule::{Schedule, Slot};
use crate::time::TrueTime;
use crate::transport::{Sent, Wire};

/// How long running reconciles may take to end when a shard is handed over.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait between attempts at a resource that keeps failing.
pub(crate) const RETRY_CAP: Duration = Duration::from_secs(10);

/// How soon a process that ended by itself is started again.
const RESTARTS_AFTER: Duration = Duration::from_secs(3);

/// One process, running or ended.
pub(super) struct Process {
    pub(super) slot: Slot,
    pub(super) identity: Replica,
    shards: u16,
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

/// What a process leaves behind.
#[derive(Default)]
struct Notes {
    lines: Mutex<Vec<(TrueTime, String)>>,
    /// How many of them are in the trace.
    traced: AtomicUsize,
    /// Reconciles that have begun and not ended.
    running: AtomicU64,
    overrun: AtomicBool,
    returned: AtomicBool,
}

struct Sink {
    notes: Arc<Notes>,
    wire: Arc<Wire>,
    clock: Arc<MachineClock>,
}

impl RecordSink for Sink {
    fn write_line(&self, line: &str) -> std::io::Result<()> {
        // What destructors write when the machine is taken away was never written.
        if self.wire.is_alive() {
            if line.contains("\"record\":\"begin\"") {
                self.notes.running.fetch_add(1, Ordering::Relaxed);
            } else if line.contains("\"record\":\"end\"") || line.contains("\"record\":\"aborted\"") {
                self.notes.running.fetch_sub(1, Ordering::Relaxed);
            }
            let mut lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push((self.clock.true_now(), line.to_owned()));
            self.wire.record_written();
        }
        Ok(())
    }
}

impl World {
    /// Starts a process in this slot, if there is none.
    pub(super) fn start(&mut self, slot: Slot) {
        if self.slots[slot.0].is_some() {
            return;
        }
        let number = self.processes.len();
        let shards = self.shards_in[slot.0];
        let process = Process::start(&self.schedule, slot, shards, number, self.now);
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
    fn start(schedule: &Schedule, slot: Slot, shards: u16, number: usize, now: TrueTime) -> Self {
        let spec = schedule.replicas[slot.0];
        let clock = MachineClock::new(now, spec.uptime, spec.drift_ppm, spec.wall_offset_ms);
        let wire = Wire::new(Arc::clone(&clock));
        let notes = Arc::new(Notes::default());
        let identity = Identity::of_pod(&format!("memcached-operator-{}", slot.0), &format!("{number:04}"))
            .expect("it is not empty");
        let seed = crate::seed::stream(schedule.seed, &format!("process {number}")).u64(..);
        let sink = Sink { notes: Arc::clone(&notes), wire: Arc::clone(&wire), clock: Arc::clone(&clock) };
        let mut options = options(schedule, &identity, &clock, seed);
        options.shards = shards.try_into().expect("schedules have sound shard counts");
        let overrun = Arc::clone(&notes);
        let cut = Arc::clone(&wire);
        options.elections.on_overrun = OnOverrun::Call(Arc::new(move |_| {
            // The process would be gone in this instant: nothing leaves the machine any more.
            overrun.overrun.store(true, Ordering::Relaxed);
            cut.cut();
        }));
        options.records = Some(Arc::new(sink));
        let reconciler = MemcachedReconciler::new(identity.as_str()).with_clock(clock.clone());
        let reconciler = slowed(reconciler, schedule, seed);
        let outward = Arc::clone(&wire);
        let (stop, stopped) = oneshot::channel::<()>();
        let returned = Arc::clone(&notes);
        let main = async move {
            // A client starts a task of its own, so it is made where tasks can run.
            let client = outward.client(NAMESPACE);
            let shutdown = async { drop(stopped.await) };
            if let Err(error) = controller(client, options).run(reconciler, shutdown).await {
                tracing::error!(%error, "the replica ended");
            }
            returned.returned.store(true, Ordering::Relaxed);
        };
        let host = Host::boot(Arc::clone(&clock), main).expect("a runtime without I/O needs nothing");
        Self {
            slot,
            identity: Replica(identity.to_string()),
            shards,
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

    fn trace(&self, trace: &mut crate::trace::Trace) {
        let lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, line) in lines.iter().skip(self.notes.traced.load(Ordering::Relaxed)) {
            trace.line(*at, format_args!("{}", portable(line)));
        }
        self.notes.traced.store(lines.len(), Ordering::Relaxed);
    }

    /// Its records, in true time.
    pub(super) fn records(&self) -> Vec<Record> {
        let lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(at, line)| self.translated(*at, line)).collect()
    }

    fn translated(&self, at: TrueTime, line: &str) -> Record {
        let mut record: Value = serde_json::from_str(line).expect("the recorder writes JSON");
        for field in ["boot_ns", "sent_boot_ns", "valid_until_boot_ns"] {
            if let Some(nanos) = record.get(field).and_then(Value::as_u64) {
                record[field] = self
                    .clock
                    .true_time_of(Boottime::from_origin(Duration::from_nanos(nanos)))
                    .nanos()
                    .into();
            }
        }
        record["boot_id"] = "simulation".into();
        let passed = jiff::SignedDuration::try_from(at.since_start()).unwrap_or_default();
        record["wall"] = EPOCH.saturating_add(passed).expect("a schedule is short").to_string().into();
        serde_json::from_value(record).expect("the recorder writes what the test kit reads")
    }

    pub(super) fn conclude(self) -> observations::Process {
        observations::Process {
            slot: self.slot,
            identity: self.identity,
            shards: self.shards,
            started: self.started,
            ended: self.ended,
            rate: self.clock.rate(),
        }
    }
}

/// A record without what is another on each machine and in each run: the boot's id, which comes first, and the start's pid.
fn portable(line: &str) -> &str {
    if line.contains("\"record\":\"replica-start\"") {
        return "replica-start";
    }
    line.split_once(',').map_or(line, |(_, rest)| rest)
}

fn options(schedule: &Schedule, identity: &Identity, clock: &Arc<MachineClock>, seed: u64) -> Options {
    let id = LeaderElectionId::new(LEADER_ELECTION_ID).expect("it is a sound name");
    let timings = schedule.timings;
    let mut elections = ElectionsOptions::new(id, NAMESPACE, identity.clone());
    elections.timings = Timings::new(timings.lease_duration, timings.renew_deadline, timings.retry_period)
        .expect("schedules have sound timings");
    elections.runtime = LeaseRuntime::Current;
    elections.clock = clock.clone();
    elections.seed = seed;
    Options::for_crd::<Memcached>(elections)
        .with_product("memcached-operator/simulated")
        .with_key_label(schedule.key_label.then(|| TENANT.to_owned()))
        .with_drain_timeout(DRAIN_TIMEOUT)
        .with_backoff(Backoff::default().with_cap(RETRY_CAP))
        .with_pod(None)
        .with_seed(seed)
}

#[cfg(feature = "mutants")]
fn slowed(reconciler: MemcachedReconciler, schedule: &Schedule, seed: u64) -> MemcachedReconciler {
    reconciler.with_delay(schedule.reconcile.min, schedule.reconcile.max, seed)
}

#[cfg(not(feature = "mutants"))]
fn slowed(reconciler: MemcachedReconciler, _: &Schedule, _: u64) -> MemcachedReconciler {
    reconciler
}
