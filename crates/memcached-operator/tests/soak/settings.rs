//! What the environment may change.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

/// The replicas of every run.
pub(crate) const REPLICAS: u32 = 3;
/// The shards of every run.
pub(crate) const SHARDS: u32 = 8;
/// LeaseDuration and RetryPeriod of the preset `fast`.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(5);
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// The longest that a shard may be without an owner.
pub(crate) const UNOWNED_BOUND: Duration = LEASE_DURATION.saturating_add(RETRY_PERIOD);
/// How long a request may be on its way: LeaseDuration − RenewDeadline. The promise assumes no more until the API server
/// itself fences. An API server under this load takes up a request some milliseconds after it was sent.
pub(crate) const TRANSIT: Duration = Duration::from_secs(2);
/// How long each reconcile takes, besides its requests.
pub(crate) const DELAY: &str = "200ms..3s";

/// One run.
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) crs: u32,
    /// For how long faults are injected.
    pub(crate) faults_for: Duration,
}

impl Settings {
    /// `SOAK_SEED`, `SOAK_CRS` and `SOAK_SECONDS`, or a random seed and these defaults.
    pub(crate) fn from_env(crs: u32, faults_for: Duration) -> Self {
        let read = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is {text:?}; it has to be a number")))
        };
        Self {
            seed: read("SOAK_SEED").unwrap_or_else(|| fastrand::u64(1..1_000_000)),
            crs: read("SOAK_CRS").map_or(crs, |crs| u32::try_from(crs).expect("SOAK_CRS is reasonable")),
            faults_for: read("SOAK_SECONDS").map_or(faults_for, Duration::from_secs),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, crs, faults_for } = self;
        write!(f, "SOAK_SEED={seed} SOAK_CRS={crs} SOAK_SECONDS={}", faults_for.as_secs())
    }
}

/// Prints whether the test passes or not: libtest hides what a test that passes prints.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
