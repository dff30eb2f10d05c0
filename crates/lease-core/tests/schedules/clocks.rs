//! A machine's clocks: origins of their own, a rate that is a little off, and what suspend does to them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lease_core::{Boottime, Monotonic, Now};

/// The clocks of one machine, as functions of the true time, which no machine knows.
#[derive(Debug)]
pub(crate) struct Clocks {
    monotonic_origin: Duration,
    boottime_origin: Duration,
    wall_origin: Timestamp,
    rate: f64,
    /// How long it was suspended up to now.
    asleep: Duration,
    suspended_since: Option<Duration>,
}

impl Clocks {
    /// Clocks that agree with no others: origins anywhere, a rate up to `drift` too fast or too slow, and a wall
    /// clock that is up to an hour off.
    pub(crate) fn new(rng: &mut fastrand::Rng, drift: f64) -> Self {
        let wall = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 55);
        Self {
            monotonic_origin: Duration::from_secs(rng.u64(0..100_000)),
            boottime_origin: Duration::from_secs(rng.u64(0..100_000)),
            wall_origin: wall + SignedDuration::from_secs(rng.i64(-3600..3600)),
            rate: 1.0 + drift * (2.0 * rng.f64() - 1.0),
            asleep: Duration::ZERO,
            suspended_since: None,
        }
    }

    /// What the machine's clocks show at the true time `at`.
    pub(crate) fn now(&self, at: Duration) -> Now {
        let awake = self.suspended_since.unwrap_or(at).saturating_sub(self.asleep);
        Now {
            monotonic: Monotonic::from_origin(self.monotonic_origin + awake.mul_f64(self.rate)),
            boottime: Boottime::from_origin(self.boottime_origin + at.mul_f64(self.rate)),
        }
    }

    /// What its wall clock shows.
    pub(crate) fn wall(&self, at: Duration) -> Timestamp {
        self.wall_origin + SignedDuration::try_from(at).expect("a simulated time is short")
    }

    /// The true time from which on the monotonic clock shows `monotonic`, if the machine stays awake.
    pub(crate) fn when(&self, monotonic: Monotonic) -> Duration {
        let awake = monotonic.since_origin().saturating_sub(self.monotonic_origin).div_f64(self.rate);
        // A microsecond more, so that rounding cannot make it a little too early.
        awake + self.asleep + Duration::from_micros(1)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended_since.is_some()
    }

    pub(crate) fn suspend(&mut self, at: Duration) {
        self.suspended_since.get_or_insert(at);
    }

    pub(crate) fn wake(&mut self, at: Duration) {
        if let Some(since) = self.suspended_since.take() {
            self.asleep += at.saturating_sub(since);
        }
    }

    /// Somebody sets the wall clock.
    pub(crate) fn jump(&mut self, by: SignedDuration) {
        self.wall_origin += by;
    }
}
