//! Instants on the clock that all processes of a machine share.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BootId;

/// Nanoseconds of `CLOCK_BOOTTIME`. Only comparable within one [`BootId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootTime(pub u64);

impl BootTime {
    /// Now, on this machine.
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Self(seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0))
    }

    /// The time from `earlier` to this; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// An instant that a test noted itself, for instance when it killed a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The instant.
    #[serde(rename = "boot_ns")]
    pub boot: BootTime,
    /// The boot that it counts from.
    pub boot_id: BootId,
}

impl Stamp {
    /// Now, on this machine.
    ///
    /// # Errors
    /// The kernel does not show a boot id (it does since Linux 2.3).
    pub fn now() -> io::Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Self { boot: BootTime::now(), boot_id: BootId(boot_id.trim().to_owned()) })
    }

    /// This instant moved forward.
    #[must_use]
    pub fn plus(&self, by: Duration) -> Self {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Self { boot: BootTime(self.boot.0.saturating_add(by)), boot_id: self.boot_id.clone() }
    }
}
