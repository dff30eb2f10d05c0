//! Instants.

use std::ops::{Add, AddAssign};
use std::time::Duration;

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
