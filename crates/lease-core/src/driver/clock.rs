//! The clocks of this machine, behind a trait for simulations.

use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::time::{Boottime, Monotonic, Now};

/// The source of time for the driver. A simulation implements its own, one per replica.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Both monotonic clocks.
    fn now(&self) -> Now;

    /// The wall clock, for times that people read.
    fn wall(&self) -> Timestamp;

    /// Resolves when `span` has passed on `CLOCK_MONOTONIC`.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            monotonic: Monotonic::from_origin(read(ClockId::Monotonic)),
            boottime: Boottime::from_origin(read(ClockId::Boottime)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where the wall clock comes in")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where timers come in")]
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the monotonic clocks come in")]
fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
