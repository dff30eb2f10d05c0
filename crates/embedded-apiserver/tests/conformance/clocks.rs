//! Clocks for servers whose answers are not compared with another's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use embedded_apiserver::Seams;
use futures::future::BoxFuture;
use jiff::Timestamp;

/// A clock that stands, with uids that count.
#[derive(Default)]
pub(crate) struct StandingClock {
    uids: AtomicU64,
    hasty: bool,
}

impl StandingClock {
    /// One on which every watch is over once it has shown what there is.
    pub(crate) fn hasty() -> Self {
        Self { hasty: true, ..Self::default() }
    }
}

impl Seams for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn bits(&self) -> u128 {
        u128::from(self.uids.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        if self.hasty { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}
