//! The presets of the operator's timings, and the bound that follows from them.

use std::time::Duration;

use clap::ValueEnum;

/// A preset by the name that the operator's `--preset` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// 5 s, 3 s, 1 s
    Fast,
    /// 15 s, 10 s, 2 s
    Standard,
    /// 60 s, 40 s, 10 s
    Lazy,
}

impl Preset {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Lazy => "lazy",
        }
    }

    fn lease_duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 5,
            Self::Standard => 15,
            Self::Lazy => 60,
        })
    }

    fn renew_deadline(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 3,
            Self::Standard => 10,
            Self::Lazy => 40,
        })
    }

    fn retry_period(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 1,
            Self::Standard => 2,
            Self::Lazy => 10,
        })
    }

    /// From the fault to the next valid holder at most.
    pub(super) fn bound(self) -> Duration {
        self.lease_duration() + self.retry_period()
    }

    /// How long a request may be on its way: what the promise assumes until the API server itself fences.
    pub(super) fn transit(self) -> Duration {
        self.lease_duration().saturating_sub(self.renew_deadline())
    }

    /// The bound as a formula with its figures.
    pub(super) fn formula(self) -> String {
        let seconds = |duration: Duration| format!("{} s", duration.as_secs());
        format!(
            "LeaseDuration {} + RetryPeriod {} = {}",
            seconds(self.lease_duration()),
            seconds(self.retry_period()),
            seconds(self.bound())
        )
    }
}
