//! The writes of a term that are under way, and those that nobody waits for any more: they may land after its end.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::clock::Clock;
use crate::name::LeaseName;
use crate::time::Monotonic;

/// A write under a [`Term`](super::Term), announced before it is sent. As long as it exists, and for LeaseDuration − RenewDeadline after it
/// was dropped without [`answered`](Self::answered), the Lease is not released, because the write may still land.
///
/// Drop it when nobody will learn what became of the write: its sender stopped waiting, its connection broke, or the answer does
/// not tell (a 5xx).
#[must_use = "a write that is dropped at once counts as given up on, and delays the release of the Lease"]
pub struct AnnouncedWrite {
    writes: Arc<Writes>,
    answered: bool,
}

impl AnnouncedWrite {
    /// `None` if the term's work has been joined: then nothing may be sent any more.
    pub(super) fn begin(writes: &Arc<Writes>) -> Option<Self> {
        writes.begin().then(|| Self { writes: Arc::clone(writes), answered: false })
    }

    /// The API server has answered, and the answer tells whether the write was carried out.
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

/// What is known of the writes of one term.
#[derive(Debug)]
pub(super) struct Writes {
    lease: LeaseName,
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    under_way: usize,
    /// When a write was last given up on, by `CLOCK_MONOTONIC`.
    given_up: Option<Monotonic>,
    closed: bool,
}

impl Writes {
    pub(super) fn of(lease: &LeaseName, clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { lease: lease.clone(), clock: Arc::clone(clock), ledger: Mutex::default() })
    }

    /// Counts a write in, unless the term has been closed: then it must not be sent.
    fn begin(&self) -> bool {
        let mut ledger = self.lock();
        if !ledger.closed {
            ledger.under_way += 1;
        }
        !ledger.closed
    }

    /// One that was counted in is over: it was answered, or given up on at `now`.
    fn end(&self, answered: bool, now: Monotonic) {
        let mut ledger = self.lock();
        debug_assert!(ledger.under_way > 0, "a write ends that never began");
        ledger.under_way = ledger.under_way.saturating_sub(1);
        if !answered {
            ledger.given_up = ledger.given_up.max(Some(now));
        }
    }

    /// When the last was given up on, by `CLOCK_MONOTONIC`.
    pub(super) fn given_up(&self) -> Option<Monotonic> {
        self.lock().given_up
    }

    /// Lets no more in, and says when the last write was given up on that may still land. One that is under way now is sent
    /// by something that the work has left behind, and counts as given up on.
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
