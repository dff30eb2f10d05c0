//! Instants and the span within which a leader may act.

use std::ops::{Add, AddAssign};
use std::time::Duration;

use crate::rules;

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// An instant is no span: the difference of two is a [`Duration`], and an instant of another clock is another type.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Duration);

        impl $name {
            /// Where the clock began: before every reading of it.
            pub const ORIGIN: Self = Self(Duration::ZERO);
            /// After every reading of the clock.
            pub const MAX: Self = Self(Duration::MAX);

            /// The instant this long after the clock's origin. For those who implement a clock.
            pub const fn from_origin(span: Duration) -> Self {
                Self(span)
            }

            /// How long after the clock's origin.
            pub const fn since_origin(self) -> Duration {
                self.0
            }

            /// How long after `earlier`; zero if it is not after it.
            #[must_use]
            pub const fn duration_since(self, earlier: Self) -> Duration {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;

            fn add(self, span: Duration) -> Self {
                Self(self.0.saturating_add(span))
            }
        }

        impl AddAssign<Duration> for $name {
            fn add_assign(&mut self, span: Duration) {
                *self = *self + span;
            }
        }
    };
}

instant! {
    /// An instant of `CLOCK_MONOTONIC`, which stands still while the machine is suspended.
    Monotonic
}

instant! {
    /// An instant of `CLOCK_BOOTTIME`, which goes on while the machine is suspended.
    Boottime
}

/// One reading of this machine's two clocks.
///
/// Both only grow and neither follows the wall clock. A leader believes whichever ran faster and a standby believes `monotonic`, so
/// that a suspended machine errs on the safe side in either role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Monotonic,
    /// `CLOCK_BOOTTIME`.
    pub boottime: Boottime,
}

impl Now {
    /// The instant at which both clocks have advanced by `span`.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self { monotonic: self.monotonic + span, boottime: self.boottime + span }
    }
}

/// How long a leader may act: until either clock reaches its end.
///
/// Asked with a fresh clock reading each time; there is no flag that someone could be late to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    end: Now,
}

impl Validity {
    /// Valid for `span` from `sent`, the instant at which the successful request was sent.
    pub fn starting(sent: Now, span: Duration) -> Self {
        Self { end: sent.after(span) }
    }

    /// Without an end, for a process that has no rival.
    pub fn unlimited() -> Self {
        Self { end: Now { monotonic: Monotonic::MAX, boottime: Boottime::MAX } }
    }

    /// Whether it has no end.
    pub fn is_unlimited(self) -> bool {
        self == Self::unlimited()
    }

    /// Over since for ever.
    pub fn over() -> Self {
        Self { end: Now::default() }
    }

    /// Whether the holder may still act at `now`.
    pub fn holds_at(self, now: Now) -> bool {
        self.remaining(now).is_some()
    }

    /// What is left at `now`; `None` once it is over.
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
