//! The time during which a leader may act.

use std::time::Duration;

use crate::rules;
use crate::time::{Boottime, Monotonic, Now};

/// Until when a leader may act: until the first of the two clocks reaches its end.
///
/// Check it against a fresh clock reading each time. There is no flag that could be cleared too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    end: Now,
}

impl Validity {
    /// Valid for `span` from `sent`, the instant at which the successful request was sent.
    pub fn starting(sent: Now, span: Duration) -> Self {
        Self { end: sent.after(span) }
    }

    /// Valid until this instant.
    pub fn until(end: Now) -> Self {
        Self { end }
    }

    /// Without an end, for a process without competitors.
    pub fn unlimited() -> Self {
        Self { end: Now { monotonic: Monotonic::MAX, boottime: Boottime::MAX } }
    }

    /// Whether it has no end.
    pub fn is_unlimited(self) -> bool {
        self == Self::unlimited()
    }

    /// A validity that is already over at any time.
    pub fn over() -> Self {
        Self { end: Now::default() }
    }

    /// Whether the holder may still act at `now`.
    pub fn holds_at(self, now: Now) -> bool {
        self.remaining(now).is_some()
    }

    /// The time that remains at `now`; `None` if it is over.
    pub fn remaining(self, now: Now) -> Option<Duration> {
        let monotonic = self.end.monotonic.duration_since(now.monotonic);
        let boottime = self.end.boottime.duration_since(now.boottime);
        Some(rules::left_of_validity(monotonic, boottime)).filter(|left| !left.is_zero())
    }

    /// The instant of its end, on both clocks.
    pub fn end(self) -> Now {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ends_exactly_after_its_span() {
        let sent = Now {
            monotonic: Monotonic::from_origin(7 * SECOND),
            boottime: Boottime::from_origin(9 * SECOND),
        };
        let validity = Validity::starting(sent, 10 * SECOND);
        assert_eq!(validity.remaining(sent), Some(10 * SECOND));
        assert!(validity.holds_at(sent.after(9 * SECOND)));
        assert!(!validity.holds_at(sent.after(10 * SECOND)));
    }

    #[test]
    fn a_suspended_machine_wakes_without_it() {
        let sent = Now::default();
        let woken =
            Now { monotonic: Monotonic::from_origin(SECOND), boottime: Boottime::from_origin(60 * SECOND) };
        assert!(!Validity::starting(sent, 10 * SECOND).holds_at(woken));
    }

    #[test]
    fn over_is_over_at_the_origin_too() {
        assert!(!Validity::over().holds_at(Now::default()));
    }
}
