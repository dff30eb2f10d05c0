//! The clocks of one replica's machine.
//!
//! The replica's tokio runtime has a paused clock that only the simulation moves, and that is its CLOCK_MONOTONIC.
//! All else follows from it: CLOCK_BOOTTIME is ahead of it by what the machine was suspended, and the wall clock is
//! wrong by as much as the schedule says. True time is what the simulation counts in, and nobody on the machine
//! can read it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lease_core::{Boottime, Clock, Monotonic, Now};
use tokio::time::Instant;

use crate::time::TrueTime;

/// What all wall clocks would read at the start of a schedule if they were right.
pub const EPOCH: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// The clocks of one machine, for as long as one process runs on it.
pub(crate) struct MachineClock {
    /// When the process started, by true time.
    started: TrueTime,
    /// What both monotonic clocks read then.
    uptime: Duration,
    /// Local time per true time.
    rate: f64,
    /// The runtime's reading at the start; set from within the runtime.
    origin: OnceLock<Instant>,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    /// How long the machine was suspended, by its own rate.
    suspended: Duration,
    wall_offset: SignedDuration,
}

impl MachineClock {
    /// The clocks of a machine that has been up for `uptime`.
    pub(crate) fn new(started: TrueTime, uptime: Duration, drift_ppm: i32, wall_offset_ms: i64) -> Arc<Self> {
        let state =
            State { suspended: Duration::ZERO, wall_offset: SignedDuration::from_millis(wall_offset_ms) };
        Arc::new(Self {
            started,
            uptime,
            rate: 1.0 + f64::from(drift_ppm) / 1e6,
            origin: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    /// Local time per true time.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// To be called once, inside the runtime, before anything runs in it.
    pub(crate) fn begin(&self) {
        self.origin.get_or_init(Instant::now);
    }

    /// What the runtime's clock reads at an instant of true time, if the machine is not suspended before.
    pub(crate) fn instant(&self, at: TrueTime) -> Instant {
        let passed = at.since(self.started).mul_f64(self.rate);
        self.origin() + passed.saturating_sub(self.state().suspended)
    }

    /// True time now. Only inside the runtime.
    pub(crate) fn true_now(&self) -> TrueTime {
        self.true_time_of(self.read().boottime)
    }

    /// The true time at which CLOCK_BOOTTIME reads this.
    pub(crate) fn true_time_of(&self, boottime: Boottime) -> TrueTime {
        self.started + boottime.since_origin().saturating_sub(self.uptime).div_f64(self.rate)
    }

    /// The machine was suspended for so long, by true time.
    pub(crate) fn slept(&self, span: Duration) {
        self.lock().suspended += span.mul_f64(self.rate);
    }

    /// The wall clock is set.
    pub(crate) fn set_wall(&self, by_ms: i64) {
        self.lock().wall_offset += SignedDuration::from_millis(by_ms);
    }

    fn read(&self) -> Now {
        let monotonic = self.uptime + Instant::now().saturating_duration_since(self.origin());
        Now {
            monotonic: Monotonic::from_origin(monotonic),
            boottime: Boottime::from_origin(monotonic + self.state().suspended),
        }
    }

    fn origin(&self) -> Instant {
        *self.origin.get().expect("the runtime has begun")
    }

    fn state(&self) -> State {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Now {
        self.read()
    }

    fn wall(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.true_now().since_start()).unwrap_or(SignedDuration::MAX);
        EPOCH
            .saturating_add(passed)
            .and_then(|right| right.saturating_add(self.state().wall_offset))
            .unwrap_or(EPOCH)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}

impl fmt::Debug for MachineClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineClock").field("rate", &self.rate).finish_non_exhaustive()
    }
}
