//! tokio's paused time, for the replica and for the API server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use embedded_apiserver::Seams;
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use lease_core::{Clock, Now};
use tokio::time::Instant;

/// Tokio's time since this was made.
#[derive(Debug)]
pub(crate) struct Paused {
    start: Instant,
    uids: AtomicU64,
}

impl Paused {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), uids: AtomicU64::new(1) }
    }

    fn time(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(self.start.elapsed()).expect("the test ends before time does")
    }
}

impl Clock for Paused {
    fn now(&self) -> Now {
        Now::default().after(self.start.elapsed())
    }

    fn wall(&self) -> Timestamp {
        self.time()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}

impl Seams for Paused {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn bits(&self) -> u128 {
        u128::from(self.uids.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(span).boxed()
    }
}
