//! Whether the watch works: it must show what this process has written or read.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;

use super::{LeaseWatch, WatchUpdate};
use crate::name::LeaseName;
use crate::revision::ResourceVersion;
use crate::time::Monotonic;

/// A state of a Lease that the watch must show soon; otherwise it hangs.
#[derive(Debug)]
pub(super) struct Expected {
    name: LeaseName,
    version: ResourceVersion,
    by: Monotonic,
}

impl LeaseWatch {
    /// A write of this process was applied, or a read has shown this state. The watch must show it by then.
    pub(in crate::driver) fn expect(&self, name: &LeaseName, version: ResourceVersion, by: Monotonic) {
        let mut expected = self.expected.lock();
        if expected.is_none() {
            *expected = Some(Expected { name: name.clone(), version, by });
        }
    }

    /// Marks the watch as hanging if it has not shown a state in time, and restarts it.
    pub(super) fn check_expected(&self, now: Monotonic, period: Duration) {
        let mut expected = self.expected.lock();
        let Some(waiting) = expected.as_mut() else { return };
        let leases = self.leases.read();
        let shown = leases.get(&waiting.name).and_then(|lease| version(lease));
        drop(leases);
        if shown.is_some_and(|shown| shown >= waiting.version) {
            *expected = None;
            drop(expected);
            self.set_healthy(true);
        } else if waiting.by <= now {
            waiting.by = now + period;
            drop(expected);
            if self.is_healthy() {
                tracing::warn!(
                    "the watch on Leases does not show what this replica wrote or read: polling until it does"
                );
            }
            self.set_healthy(false);
            self.restart.notify_one();
        }
    }

    /// The watch no longer shows the Lease, so it will not show later states of it. That it knows this proves that the watch
    /// works.
    pub(super) fn expect_no_more(&self, is_gone: impl FnOnce(&LeaseName) -> bool) {
        let mut expected = self.expected.lock();
        if expected.take_if(|waiting| is_gone(&waiting.name)).is_some() {
            drop(expected);
            self.set_healthy(true);
        }
    }

    pub(super) fn set_healthy(&self, healthy: bool) {
        if self.healthy.send_replace(healthy) == healthy {
            return;
        }
        for senders in self.lock_listeners().values() {
            for sender in senders {
                let _ = sender.send(WatchUpdate::WatchHealthy(healthy));
            }
        }
    }
}

fn version(lease: &Lease) -> Option<ResourceVersion> {
    lease.metadata.resource_version.as_deref()?.parse().ok()
}
