//! One replica: its clocks, its watch, the process that runs on it, and the process's work.

use std::time::Duration;

use lease_core::AttemptId;
use lease_core::PendingAnnotations;
use lease_core::{
    Elector, ElectorConfig, EndedProcesses, Event, Identity, Monotonic, ReleaseStyle, TimePrecision, Timings,
};

use super::checks::Ledger;
use super::clocks::Clocks;
use super::queue::Answer;

/// One replica.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) clocks: Clocks,
    pub(crate) settings: Settings,
    /// `None` between a crash and the restart.
    pub(crate) process: Option<Process>,
    /// How many processes have run here.
    pub(crate) lives: u64,
    pub(crate) watch: Watch,
    /// Stopped, with its clocks going on, until then.
    pub(crate) paused_until: Option<Duration>,
    /// Suspended until then.
    pub(crate) suspended_until: Option<Duration>,
    /// Crashed until then.
    pub(crate) down_until: Option<Duration>,
    /// The alarm that counts; an earlier one was reset.
    pub(crate) alarm: u64,
}

/// What stays the same from one process of a node to the next.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) timings: Timings,
    pub(crate) acquire_delay: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) release: ReleaseStyle,
    pub(crate) time_precision: TimePrecision,
    /// The number of the directory that outlives its processes, if there is one.
    pub(crate) state_dir: Option<usize>,
}

/// How far a node's watch has come.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The next entry of the API server's log.
    pub(crate) cursor: usize,
    /// Whether an entry is on its way.
    pub(crate) showing: bool,
    /// Shows nothing until then, without closing.
    pub(crate) hung_until: Option<Duration>,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) identity: Identity,
    pub(crate) elector: Elector,
    /// What came while the process was stopped.
    pub(crate) inbox: Vec<Inward>,
    pub(crate) request: Option<Pending>,
    pub(crate) work: Option<Work>,
    /// Whether the work shows signs of life, and if not, until when.
    pub(crate) wedged_until: Option<Duration>,
    /// Does not contend until then.
    pub(crate) sits_until: Option<Duration>,
    /// What it wants to note on the Lease.
    pub(crate) annotations: PendingAnnotations<u64>,
    /// Whom it knows to have ended.
    pub(crate) ended: EndedProcesses,
    pub(crate) ledger: Ledger,
}

/// Something for a process.
#[derive(Debug)]
pub(crate) enum Inward {
    Answer { request: u64, answer: Answer },
    Told(Event),
    WorkEnded(u64),
}

/// The request that a process waits for.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    /// When it gives up, on its monotonic clock.
    pub(crate) deadline: Monotonic,
    /// Which write it is; `None` is a read.
    pub(crate) write: Option<AttemptId>,
}

/// What runs under the Lease.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) number: u64,
    /// Whether it was asked to end.
    pub(crate) ending: bool,
    /// When the last of its writes lands.
    pub(crate) writes_until: Duration,
}

impl Node {
    pub(crate) fn new(clocks: Clocks, settings: Settings) -> Self {
        Self {
            clocks,
            settings,
            process: None,
            lives: 0,
            watch: Watch::default(),
            paused_until: None,
            suspended_until: None,
            down_until: None,
            alarm: 0,
        }
    }

    /// The identity of the process that started last at this node.
    pub(crate) fn identity(&self, index: usize) -> Identity {
        Identity::of_pod(&format!("pod-{index}"), &self.lives.to_string()).expect("not empty")
    }

    /// An identity that no process had before.
    pub(crate) fn next_identity(&mut self, index: usize) -> Identity {
        self.lives += 1;
        self.identity(index)
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, identity: Identity, ended: EndedProcesses, at: Duration) {
        let config = ElectorConfig::new(identity.clone(), self.settings.timings)
            .acquire_delay(self.settings.acquire_delay)
            .drain_timeout(self.settings.drain_timeout)
            .release(self.settings.release)
            .time_precision(self.settings.time_precision)
            .ended(ended.clone());
        self.process = Some(Process {
            identity,
            elector: Elector::new(config),
            inbox: Vec::new(),
            request: None,
            work: None,
            wedged_until: None,
            sits_until: None,
            annotations: PendingAnnotations::default(),
            ended,
            ledger: Ledger::new(at),
        });
    }

    /// Whether the process does nothing at present, whatever comes.
    pub(crate) fn is_frozen(&self) -> bool {
        self.paused_until.is_some() || self.clocks.is_suspended()
    }

    /// Whether its process believes in its validity at the true time `at`.
    pub(crate) fn is_valid(&self, at: Duration) -> bool {
        let validity = self.process.as_ref().and_then(|process| process.elector.validity());
        validity.is_some_and(|validity| validity.holds_at(self.clocks.now(at)))
    }

    pub(crate) fn has_write_in_flight(&self) -> bool {
        let request = self.process.as_ref().and_then(|process| process.request.as_ref());
        request.is_some_and(|request| request.write.is_some())
    }

    /// When its process wants to be called, on its monotonic clock.
    pub(crate) fn next_alarm(&self) -> Option<Monotonic> {
        let process = self.process.as_ref()?;
        let gives_up = process.request.as_ref().map(|request| request.deadline);
        [gives_up, process.elector.next_timeout()].into_iter().flatten().min()
    }
}
