//! LeaseDuration, RenewDeadline, RetryPeriod: what they mean, and which combinations are safe.

use std::fmt;
use std::time::Duration;

/// The maximum factor, in percent, by which delays between attempts are extended at random, so that candidates do not send requests at the same time.
///
/// client-go validates RenewDeadline against the same factor (its `JitterFactor` is 1.2) but waits longer between attempts to
/// acquire: `wait.Jitter(RetryPeriod, 1.2)` is 1 to 2.2 times RetryPeriod.
pub const JITTER_PERCENT: u32 = 120;

const SHORTEST: Duration = Duration::from_secs(1);
const ADVISED: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(60);

/// The three durations of leader election, validated.
///
/// `RetryPeriod × 1.2 < RenewDeadline < LeaseDuration`: a leader can try more than once before its validity
/// ends, and its validity ends before anyone else may take over. LeaseDuration is in whole seconds, because the API
/// stores seconds, and a truncated LeaseDuration would expire early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

/// Why the durations are refused. Each error is fatal at the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A duration is shorter than one second.
    #[error("{name} is {} and has to be at least 1s; client-go's defaults are 15s, 10s and 2s", Seconds(*.value))]
    TooShort {
        /// Which duration.
        name: &'static str,
        /// Its value.
        value: Duration,
    },
    /// LeaseDuration is not in whole seconds, but the API stores whole seconds only.
    #[error("LeaseDuration is {}, but a Lease stores whole seconds; round it up to {}s", Seconds(*.0), .0.as_secs() + 1)]
    FractionalLeaseDuration(Duration),
    /// RenewDeadline is not shorter than LeaseDuration: a leader would still act when others may already take the Lease.
    #[error(
        "RenewDeadline ({}) has to be shorter than LeaseDuration ({}), or a leader would act on while another takes \
         over; raise LeaseDuration or lower RenewDeadline", Seconds(*.renew_deadline), Seconds(*.lease_duration)
    )]
    DeadlineNotBeforeExpiry {
        /// As given.
        renew_deadline: Duration,
        /// As given.
        lease_duration: Duration,
    },
    /// RetryPeriod with its jitter is not shorter than RenewDeadline: a leader would have one attempt at most.
    #[error(
        "RetryPeriod ({}) with its jitter (x 1.2) has to be shorter than RenewDeadline ({}), or one slow renewal loses \
         the Lease; raise RenewDeadline or lower RetryPeriod", Seconds(*.retry_period), Seconds(*.renew_deadline)
    )]
    RetryNotBeforeDeadline {
        /// As given.
        retry_period: Duration,
        /// As given.
        renew_deadline: Duration,
    },
}

/// A setting that is allowed but usually not advisable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimingWarning {
    /// LeaseDuration is so short that a slow API server or a busy node can cause the loss of the Lease.
    Short(Duration),
    /// LeaseDuration is so long that the work is not done for a long time after a crash.
    Long(Duration),
}

impl Timings {
    /// Validates the three durations.
    ///
    /// # Errors
    ///
    /// The first rule that they violate; see [`TimingError`].
    pub fn new(
        lease_duration: Duration,
        renew_deadline: Duration,
        retry_period: Duration,
    ) -> Result<Self, TimingError> {
        for (name, value) in [
            ("LeaseDuration", lease_duration),
            ("RenewDeadline", renew_deadline),
            ("RetryPeriod", retry_period),
        ] {
            if value < SHORTEST {
                return Err(TimingError::TooShort { name, value });
            }
        }
        if lease_duration.subsec_nanos() != 0 {
            return Err(TimingError::FractionalLeaseDuration(lease_duration));
        }
        if renew_deadline >= lease_duration {
            return Err(TimingError::DeadlineNotBeforeExpiry { renew_deadline, lease_duration });
        }
        if jittered(retry_period) >= renew_deadline {
            return Err(TimingError::RetryNotBeforeDeadline { retry_period, renew_deadline });
        }
        Ok(Self { lease_duration, renew_deadline, retry_period })
    }

    /// 15 s, 10 s, 2 s: client-go's defaults.
    pub fn standard() -> Self {
        Self::preset(15, 10, 2)
    }

    /// 5 s, 3 s, 1 s: fast failover, for an API server that answers quickly.
    pub fn fast() -> Self {
        Self::preset(5, 3, 1)
    }

    /// 60 s, 40 s, 10 s: few requests, for work that can wait for a minute.
    pub fn lazy() -> Self {
        Self::preset(60, 40, 10)
    }

    fn preset(lease_duration: u64, renew_deadline: u64, retry_period: u64) -> Self {
        Self {
            lease_duration: Duration::from_secs(lease_duration),
            renew_deadline: Duration::from_secs(renew_deadline),
            retry_period: Duration::from_secs(retry_period),
        }
    }

    /// How long other candidates wait, after they last saw the record change, before they take over.
    pub fn lease_duration(&self) -> Duration {
        self.lease_duration
    }

    /// How long a leader may act after it *sent* its last successful renewal.
    pub fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// The time between two renewals, and between two attempts after a failure.
    pub fn retry_period(&self) -> Duration {
        self.retry_period
    }

    /// The time limit of a request about a Lease. It is short enough that two more requests fit before RenewDeadline after one that hangs.
    pub fn request_timeout(&self) -> Duration {
        self.renew_deadline.saturating_sub(self.retry_period) / 3
    }

    /// The delay before a leader retries after a request that failed immediately.
    pub fn hurried_retry(&self) -> Duration {
        self.retry_period / 4
    }

    /// How long a request may be on its way after its sender has stopped waiting, or after the validity of its sender has ended: LeaseDuration −
    /// RenewDeadline. It is an assumption about the network.
    pub fn longest_transit(&self) -> Duration {
        self.lease_duration.saturating_sub(self.renew_deadline)
    }

    /// The longest time from a fault to the next valid holder.
    pub fn takeover_bound(&self) -> Duration {
        self.lease_duration + self.retry_period
    }

    /// RetryPeriod with jitter, extended by up to 20 %; `roll` is a random number from 0 to 1.
    pub fn jittered_retry(&self, roll: f64) -> Duration {
        self.retry_period.mul_f64(1.0 + 0.2 * roll.clamp(0.0, 1.0))
    }

    /// Warnings about settings that are allowed but usually not advisable. Log them at the start.
    pub fn warnings(&self) -> Vec<TimingWarning> {
        if self.lease_duration < *ADVISED.start() {
            vec![TimingWarning::Short(self.lease_duration)]
        } else if self.lease_duration > *ADVISED.end() {
            vec![TimingWarning::Long(self.lease_duration)]
        } else {
            Vec::new()
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::standard()
    }
}

impl fmt::Display for TimingWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(duration) => write!(
                f,
                "LeaseDuration is {}: under 5s, a slow API server or a busy node can cause the loss of the Lease",
                Seconds(*duration)
            ),
            Self::Long(duration) => write!(
                f,
                "LeaseDuration is {}: after a crash there is no leader for that long; more than 60s is seldom useful",
                Seconds(*duration)
            ),
        }
    }
}

fn jittered(period: Duration) -> Duration {
    period * JITTER_PERCENT / 100
}

/// A duration as people write it in a flag.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(lease: f64, renew: f64, retry: f64) -> Result<Timings, TimingError> {
        Timings::new(
            Duration::from_secs_f64(lease),
            Duration::from_secs_f64(renew),
            Duration::from_secs_f64(retry),
        )
    }

    #[test]
    fn presets_keep_their_own_rules() {
        for preset in [Timings::standard(), Timings::fast(), Timings::lazy()] {
            let again = Timings::new(preset.lease_duration, preset.renew_deadline, preset.retry_period);
            assert_eq!(again, Ok(preset));
            assert!(preset.retry_period + 3 * preset.request_timeout() <= preset.renew_deadline);
        }
    }

    #[test]
    fn refusals_name_the_remedy() {
        for (given, phrase) in [
            (timings(15.0, 15.0, 2.0), "RenewDeadline (15s) has to be shorter than LeaseDuration (15s)"),
            (timings(15.0, 10.0, 9.0), "RetryPeriod (9s) with its jitter"),
            (timings(15.0, 12.0, 10.0), "RetryPeriod (10s) with its jitter"),
            (timings(2.5, 2.0, 1.0), "round it up to 3s"),
            (timings(15.0, 10.0, 0.5), "RetryPeriod is 0.5s and has to be at least 1s"),
            (timings(0.0, 0.0, 0.0), "LeaseDuration is 0s and has to be at least 1s"),
        ] {
            let message = given.expect_err(phrase).to_string();
            assert!(message.contains(phrase), "{message}");
        }
    }

    #[test]
    fn odd_choices_are_warned_about() {
        assert!(matches!(timings(4.0, 3.0, 1.0).expect("allowed").warnings()[..], [TimingWarning::Short(_)]));
        assert!(matches!(
            timings(61.0, 40.0, 1.0).expect("allowed").warnings()[..],
            [TimingWarning::Long(_)]
        ));
        assert!(Timings::fast().warnings().is_empty() && Timings::lazy().warnings().is_empty());
    }
}
