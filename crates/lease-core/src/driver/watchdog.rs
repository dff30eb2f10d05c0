//! The watchdog: whether the work under a Lease still makes progress.
//!
//! A leader whose work hangs must lose its Lease, although the Lease traffic runs on its own thread and could
//! continue forever. Two things are checked: a small task on the user's runtime has to run regularly (the heartbeat), and no single
//! poll of a tracked future may take longer than RetryPeriod, because a future that blocks its thread can be neither cancelled nor
//! joined.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::clock::Clock;

use crate::time::Monotonic;

/// The instant at which the current poll began, in nanoseconds; 0 between polls.
type PollingSince = AtomicU64;

/// The heartbeat of the user's runtime: when a task on it last ran.
#[derive(Debug)]
pub(super) struct Heartbeat {
    clock: Arc<dyn Clock>,
    last_beat: AtomicU64,
}

impl Heartbeat {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let last_beat = AtomicU64::new(nanos(clock.now().monotonic));
        Arc::new(Self { clock, last_beat })
    }

    /// Records the time regularly, on the runtime that it is spawned on.
    pub(super) async fn run(self: Arc<Self>, period: Duration) {
        loop {
            self.last_beat.store(nanos(self.clock.now().monotonic), Ordering::Relaxed);
            self.clock.sleep(period).await;
        }
    }

    pub(super) fn is_recent(&self, limit: Duration) -> bool {
        within(self.last_beat.load(Ordering::Relaxed), self.clock.now().monotonic, limit)
    }
}

/// The polls of one term's tracked futures that are in progress.
#[derive(Debug)]
pub(super) struct PollWatchdog {
    clock: Arc<dyn Clock>,
    polls: Mutex<Vec<Weak<PollingSince>>>,
}

impl PollWatchdog {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, polls: Mutex::default() })
    }

    /// Whether no poll has been running for longer than `limit`.
    pub(super) fn is_responsive(&self, limit: Duration) -> bool {
        let now = self.clock.now().monotonic;
        let mut polls = self.polls.lock();
        polls.retain(|poll| poll.strong_count() > 0);
        polls.iter().filter_map(Weak::upgrade).all(|poll| match poll.load(Ordering::Relaxed) {
            0 => true,
            since => within(since, now, limit),
        })
    }

    fn watch(&self) -> Arc<PollingSince> {
        let poll = Arc::new(PollingSince::new(0));
        let mut polls = self.polls.lock();
        if polls.len() == polls.capacity() {
            polls.retain(|poll| poll.strong_count() > 0);
        }
        polls.push(Arc::downgrade(&poll));
        poll
    }
}

/// A future that runs under a Lease ([`Term::track`](crate::Term::track)). The Lease is not released before the future has been dropped, and it is not renewed while
/// the future blocks its thread.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn forgets(term: lease_core::Term, work: impl Future<Output = ()>) {
/// term.track(work); // never polled, so it does nothing
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a tracked future does nothing unless it is awaited or spawned"]
pub struct Tracked<F> {
    future: Pin<Box<F>>,
    polling_since: Arc<PollingSince>,
    clock: Arc<dyn Clock>,
    // Fields are dropped in order, so this token is dropped after the future.
    _token: TaskTrackerToken,
}

impl<F: Future> Tracked<F> {
    pub(super) fn new(future: F, watchdog: &PollWatchdog, token: TaskTrackerToken) -> Self {
        Self {
            future: Box::pin(future),
            polling_since: watchdog.watch(),
            clock: Arc::clone(&watchdog.clock),
            _token: token,
        }
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polling_since.store(nanos(self.clock.now().monotonic).max(1), Ordering::Relaxed);
        let poll = self.future.as_mut().poll(cx);
        self.polling_since.store(0, Ordering::Relaxed);
        poll
    }
}

fn nanos(instant: Monotonic) -> u64 {
    u64::try_from(instant.since_origin().as_nanos()).unwrap_or(u64::MAX)
}

fn within(since: u64, now: Monotonic, limit: Duration) -> bool {
    now.duration_since(Monotonic::from_origin(Duration::from_nanos(since))) <= limit
}
