//! The writes of a term that are in progress, and those that were given up: they may still be applied after the end of the term.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::clock::Clock;
use crate::name::LeaseName;
use crate::time::Monotonic;

/// A write under a [`Term`](super::Term), announced before it is sent. The Lease is not released while this value exists. If it is
/// dropped without [`answered`](Self::answered), the Lease is not released for another LeaseDuration − RenewDeadline, because the write may still be applied.
///
/// Drop it when the result of the write is unknown: the sender stopped waiting, the connection broke, or the answer does
/// not say whether the write was applied (a 5xx).
#[must_use = "a write that is dropped at once counts as unanswered, and delays the release of the Lease"]
pub struct AnnouncedWrite {
    writes: Arc<Writes>,
    answered: bool,
}

impl AnnouncedWrite {
    /// `None` if the work of the term has been joined: then nothing may be sent any more.
    pub(super) fn begin(writes: &Arc<Writes>) -> Option<Self> {
        writes.begin().then(|| Self { writes: Arc::clone(writes), answered: false })
    }

    /// Call this when the API server has answered, and the answer says whether the write was applied.
    pub fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for AnnouncedWrite {
    fn drop(&mut self) {
        self.writes.end(self.answered, self.writes.clock.now().monotonic);
    }
}

impl fmt::Debug for AnnouncedWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnnouncedWrite").field("lease", &self.writes.lease).finish_non_exhaustive()
    }
}

/// The writes of one term.
#[derive(Debug)]
pub(super) struct Writes {
    lease: LeaseName,
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    under_way: usize,
    /// When a write was last given up, by `CLOCK_MONOTONIC`.
    given_up: Option<Monotonic>,
    closed: bool,
}

impl Writes {
    pub(super) fn of(lease: &LeaseName, clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { lease: lease.clone(), clock: Arc::clone(clock), ledger: Mutex::default() })
    }

    /// Registers a write, unless the term has been closed: then it must not be sent.
    fn begin(&self) -> bool {
        let mut ledger = self.lock();
        if !ledger.closed {
            ledger.under_way += 1;
        }
        !ledger.closed
    }

    /// A registered write is over: it was answered, or given up at `now`.
    fn end(&self, answered: bool, now: Monotonic) {
        let mut ledger = self.lock();
        debug_assert!(ledger.under_way > 0, "a write ends that never began");
        ledger.under_way = ledger.under_way.saturating_sub(1);
        if !answered {
            ledger.given_up = ledger.given_up.max(Some(now));
        }
    }

    /// When a write was last given up, by `CLOCK_MONOTONIC`.
    pub(super) fn given_up(&self) -> Option<Monotonic> {
        self.lock().given_up
    }

    /// Closes the term for further writes. Returns when the last write was given up that may still be applied. A write that is in progress now was
    /// sent by a task that the work has left behind, and counts as given up.
    pub(super) fn close(&self, now: Monotonic) -> Option<Monotonic> {
        let mut ledger = self.lock();
        ledger.closed = true;
        ledger.given_up.max((ledger.under_way > 0).then_some(now))
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SENT: Monotonic = Monotonic::from_origin(Duration::from_secs(3));
    const JOINED: Monotonic = Monotonic::from_origin(Duration::from_secs(5));

    fn writes() -> Arc<Writes> {
        let clock: Arc<dyn Clock> = Arc::new(crate::driver::SystemClock);
        Writes::of(&LeaseName::from_server("a"), &clock)
    }

    #[test]
    fn what_was_answered_lands_no_more() {
        let writes = writes();
        assert!(writes.begin());
        writes.end(true, SENT);
        assert_eq!(writes.close(JOINED), None);
    }

    #[test]
    fn the_last_that_was_given_up_on_counts() {
        let writes = writes();
        assert!(writes.begin() && writes.begin());
        writes.end(false, SENT);
        writes.end(false, Monotonic::from_origin(SENT.since_origin() / 2));
        assert_eq!(writes.close(JOINED), Some(SENT));
    }

    #[test]
    fn what_is_under_way_at_the_join_counts_from_then_and_nothing_begins_after_it() {
        let writes = writes();
        assert!(writes.begin());
        assert_eq!(writes.close(JOINED), Some(JOINED));
        assert!(!writes.begin());
    }
}
