//! What a seed stands for: who takes part, with which settings, and what is going to go wrong.

use std::time::Duration;

use lease_core::{Identity, LeaseRecord, ReleaseStyle, TimePrecision, Timings};

use super::faults::Fault;
use super::network::{LATENCY, LONGEST_RETRY_AFTER, Weather};
use super::node::Settings;

/// How much faster or slower than the true time a clock runs at most.
pub(crate) const DRIFT: f64 = 0.01;

/// One schedule, before anything has happened.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Settings>,
    /// What the Lease says at the start, if there is one.
    pub(crate) first: Option<LeaseRecord>,
    pub(crate) weather: Weather,
    pub(crate) faults: Vec<Fault>,
    /// The mean time between two faults.
    pub(crate) every: Duration,
    /// From then on nothing goes wrong any more.
    pub(crate) calm_at: Duration,
}

impl Plan {
    pub(crate) fn new(rng: &mut fastrand::Rng) -> Self {
        let mixed = rng.f64() < 0.2;
        let common = any_timings(rng);
        let nodes: Vec<_> = (0..rng.usize(2..=5))
            .map(|node| {
                let timings = if mixed { any_timings(rng) } else { common };
                let state_dir = any_state_dir(node, rng);
                Settings { state_dir, ..any_settings(timings, mixed, rng) }
            })
            .collect();
        let mut plan = Self {
            nodes,
            first: None,
            weather: any_weather(rng),
            faults: any_faults(mixed, rng),
            every: Duration::ZERO,
            calm_at: Duration::ZERO,
        };
        plan.first = first_record(plan.longest_lease(), rng);
        plan.every = plan.longest_lease().mul_f64(0.2 + 1.5 * rng.f64());
        plan.calm_at = plan.longest_lease().mul_f64(6.0 + 8.0 * rng.f64());
        plan
    }

    /// Whether all have the same timings.
    pub(crate) fn is_uniform(&self) -> bool {
        self.nodes.iter().all(|node| node.timings == self.nodes[0].timings)
    }

    pub(crate) fn longest_lease(&self) -> Duration {
        self.longest(|settings| settings.timings.lease_duration())
    }

    /// How long after the last fault somebody has to be valid.
    ///
    /// A candidate that waits out the pause after its last failure, then reads (or is shown) a state that it did not
    /// know, honours it for LeaseDuration by a clock that may be slow, tries up to one jittered RetryPeriod and its
    /// the acquire delay later, and needs a few messages: read, write, a conflict with another candidate, read, write.
    pub(crate) fn recovery_bound(&self) -> Duration {
        let retry = self.longest(|settings| settings.timings.jittered_retry(1.0));
        let acquire_delay = self.longest(|settings| settings.acquire_delay);
        // After a restore of etcd, whoever was behind looks once in two RetryPeriods, and then waits anew.
        let restored = if self.faults.contains(&Fault::Rewind) { 4 * retry } else { Duration::ZERO };
        let by_clocks =
            LONGEST_RETRY_AFTER.max(retry) + self.longest_lease() + retry + acquire_delay + restored;
        by_clocks.mul_f64(1.0 + 2.0 * DRIFT) + 12 * LATENCY
    }

    /// The promise: how long after the death of a leader, in quiet times, the next one is valid.
    ///
    /// `LeaseDuration + RetryPeriod`, by clocks that may be slow, and a few messages. Patience is within RetryPeriod.
    pub(crate) fn takeover_bound(&self, dead: &Settings) -> Duration {
        let retry = self.longest(|settings| settings.timings.retry_period());
        (dead.timings.lease_duration() + retry).mul_f64(1.0 + 2.0 * DRIFT) + 12 * LATENCY
    }

    /// The promise for a leader that dies and starts again at once: LeaseDuration − RenewDeadline, by its own clock, then its acquire delay and a few messages.
    pub(crate) fn restart_bound(settings: &Settings) -> Duration {
        let by_clocks = settings.timings.longest_transit() + settings.acquire_delay;
        by_clocks.mul_f64(1.0 + 2.0 * DRIFT) + 12 * LATENCY
    }

    /// How long it takes from a request to step down to the next leader, if the work ends at once.
    pub(crate) fn handover_bound(&self) -> Duration {
        self.longest(|settings| settings.acquire_delay).mul_f64(1.0 + 2.0 * DRIFT) + 12 * LATENCY
    }

    /// How long it is watched after that.
    pub(crate) fn quiet(&self) -> Duration {
        5 * self.longest_lease()
    }

    fn longest(&self, of: impl Fn(&Settings) -> Duration) -> Duration {
        self.nodes.iter().map(of).max().unwrap_or_default()
    }
}

fn any_timings(rng: &mut fastrand::Rng) -> Timings {
    match rng.u8(0..20) {
        0..10 => Timings::fast(),
        10..14 => Timings::new(Duration::from_secs(7), Duration::from_secs(6), Duration::from_millis(1500))
            .expect("well ordered"),
        14..19 => Timings::standard(),
        _ => Timings::lazy(),
    }
}

fn any_settings(timings: Timings, mixed: bool, rng: &mut fastrand::Rng) -> Settings {
    let acquire_delay = if rng.bool() { Duration::ZERO } else { timings.retry_period().mul_f64(rng.f64()) };
    let release = match rng.u8(0..10) {
        0 => ReleaseStyle::LetExpire,
        1 if !mixed => ReleaseStyle::Delete,
        _ => ReleaseStyle::Vacate,
    };
    Settings {
        timings,
        acquire_delay,
        drain_timeout: timings.lease_duration().mul_f64(1.5 * rng.f64()),
        release,
        time_precision: TimePrecision::Microseconds,
        state_dir: None,
    }
}

/// Most have one of their own; the first two may have one in common.
fn any_state_dir(node: usize, rng: &mut fastrand::Rng) -> Option<usize> {
    match rng.u8(0..10) {
        0 | 1 => None,
        2..=4 if node == 1 => Some(0),
        _ => Some(node),
    }
}

fn any_weather(rng: &mut fastrand::Rng) -> Weather {
    if rng.f64() < 0.3 {
        return Weather::FAIR;
    }
    Weather {
        loss: *rng.choice(&[0.0, 0.02, 0.1]).expect("not empty"),
        slow: *rng.choice(&[0.0, 0.05, 0.25]).expect("not empty"),
        slowest: Duration::from_secs_f64(0.5 * 80_f64.powf(rng.f64())),
        errors: *rng.choice(&[0.0, 0.0, 0.03, 0.15]).expect("not empty"),
    }
}

/// A few kinds of fault rather than all: what is rare in a mixture is frequent among few.
fn any_faults(mixed: bool, rng: &mut fastrand::Rng) -> Vec<Fault> {
    // Whoever never saw the holder of a deleted Lease has only its own LeaseDuration to wait for.
    let deletes = |fault: &Fault| matches!(fault, Fault::Delete | Fault::Replace);
    let possible = Fault::ALL.into_iter().filter(|fault| !(mixed && deletes(fault)));
    let share = 0.15 + 0.5 * rng.f64();
    possible.filter(|_| rng.f64() < share).collect()
}

fn first_record(longest: Duration, rng: &mut fastrand::Rng) -> Option<LeaseRecord> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let held = LeaseRecord {
        holder: Some(Identity::new("a-process-of-before_0").expect("not empty")),
        lease_duration: Some(longest),
        acquire_time: Some(at),
        renew_time: Some(at),
        transitions: 7,
    };
    match rng.u8(0..10) {
        0..4 => None,
        4 | 5 => Some(LeaseRecord::released(at, 3)),
        6 | 7 => Some(held),
        8 => Some(LeaseRecord { holder: None, ..held }),
        _ => Some(LeaseRecord::default()),
    }
}
