//! Instants of the two clocks that leader election uses.

use std::ops::{Add, AddAssign};
use std::time::Duration;

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// The difference of two instants is a [`Duration`]. Instants of different clocks have different types.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Duration);

        impl $name {
            /// The origin of the clock, not later than any reading of it.
            pub const ORIGIN: Self = Self(Duration::ZERO);
            /// After every reading of the clock.
            pub const MAX: Self = Self(Duration::MAX);

            /// The instant this long after the clock's origin, for implementations of a clock.
            pub const fn from_origin(span: Duration) -> Self {
                Self(span)
            }

            /// The time since the clock's origin.
            pub const fn since_origin(self) -> Duration {
                self.0
            }

            /// The time since `earlier`; zero if `earlier` is later.
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
    /// An instant of `CLOCK_MONOTONIC`, which stops while the machine is suspended.
    Monotonic
}

instant! {
    /// An instant of `CLOCK_BOOTTIME`, which continues while the machine is suspended.
    Boottime
}

/// One reading of this machine's two clocks.
///
/// Both only grow, and neither follows the wall clock. A leader uses the one that ran faster, a standby uses `monotonic`, so
/// that both are on the safe side after the machine was suspended.
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
