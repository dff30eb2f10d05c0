//! The writes of a term that are under way, and those that nobody waits for any more: they may land after its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is known of the writes of one term.
#[derive(Debug, Default)]
pub(super) struct Writes {
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    under_way: usize,
    /// When a write was last given up on, by `CLOCK_MONOTONIC`.
    given_up: Option<Duration>,
    closed: bool,
}

impl Writes {
    /// Counts a write in, unless the term has been closed: then it must not be sent.
    pub(super) fn begin(&self) -> bool {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if !ledger.closed {
            ledger.under_way += 1;
        }
        !ledger.closed
    }

    /// One that was counted in is over: it was answered, or given up on at `now`.
    pub(super) fn end(&self, answered: bool, now: Duration) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.under_way = ledger.under_way.saturating_sub(1);
        if !answered {
            ledger.given_up = ledger.given_up.max(Some(now));
        }
    }

    /// When the last was given up on, by `CLOCK_MONOTONIC`.
    pub(super) fn given_up(&self) -> Option<Duration> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).given_up
    }

    /// Lets no more in, and says when the last write was given up on that may still land. One that is under way now is sent
    /// by something that the work has left behind, and counts as given up on.
    pub(super) fn close(&self, now: Duration) -> Option<Duration> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.closed = true;
        ledger.given_up.max((ledger.under_way > 0).then_some(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Duration = Duration::from_secs(3);
    const JOINED: Duration = Duration::from_secs(5);

    #[test]
    fn what_was_answered_lands_no_more() {
        let writes = Writes::default();
        assert!(writes.begin());
        writes.end(true, SENT);
        assert_eq!(writes.close(JOINED), None);
    }

    #[test]
    fn the_last_that_was_given_up_on_counts() {
        let writes = Writes::default();
        assert!(writes.begin() && writes.begin());
        writes.end(false, SENT);
        writes.end(false, SENT / 2);
        assert_eq!(writes.close(JOINED), Some(SENT));
    }

    #[test]
    fn what_is_under_way_at_the_join_counts_from_then_and_nothing_begins_after_it() {
        let writes = Writes::default();
        assert!(writes.begin());
        assert_eq!(writes.close(JOINED), Some(JOINED));
        assert!(!writes.begin());
    }
}
