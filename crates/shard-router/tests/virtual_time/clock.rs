//! tokio's paused time, for replicas and for the API server.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use embedded_apiserver::Seams;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use lease_core::{Clock, Now};
use tokio::time::Instant;

/// A clock that shows tokio's time.
#[derive(Debug)]
pub(crate) struct VirtualClock(Instant);

impl Default for VirtualClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        Now::default().after(self.0.elapsed())
    }

    fn wall(&self) -> Timestamp {
        wall(self.0)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}

/// The same for an API server, with uids that count up.
pub(crate) struct VirtualSeams {
    start: Instant,
    uids: AtomicU64,
}

impl Default for VirtualSeams {
    fn default() -> Self {
        Self { start: Instant::now(), uids: AtomicU64::new(1) }
    }
}

impl Seams for VirtualSeams {
    fn now(&self) -> Timestamp {
        wall(self.start)
    }

    fn bits(&self) -> u128 {
        u128::from(self.uids.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}

fn wall(start: Instant) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(start.elapsed()).expect("the test ends before time does")
}
