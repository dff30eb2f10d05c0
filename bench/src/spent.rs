//! What something took.

use std::time::Duration;

use serde::Serialize;

use crate::audit::{Counts, Tally};

/// What was asked for and used between two instants.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// Requests for the work, by verb and resource.
    pub(crate) work: Counts,
    /// Requests for Leases, and for events about them.
    pub(crate) elections: Counts,
    pub(crate) cpu: Cpu,
}

/// Seconds of CPU.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Cpu {
    pub(crate) api_server: f64,
    pub(crate) etcd: f64,
    /// Of all replicas together.
    pub(crate) replicas: f64,
}

impl Spent {
    pub(crate) fn new(duration: Duration, tally: Tally, cpu: Cpu) -> Self {
        Self { seconds: duration.as_secs_f64(), work: tally.work, elections: tally.elections, cpu }
    }

    /// How many of these there were in a minute.
    #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
    pub(crate) fn per_minute(&self, count: u64) -> f64 {
        count as f64 * 60.0 / self.seconds
    }
}

impl Cpu {
    /// A replica that was started anew meanwhile has begun at zero, so that less may come out than there was.
    pub(crate) fn since(self, before: &Self) -> Self {
        Self {
            api_server: self.api_server - before.api_server,
            etcd: self.etcd - before.etcd,
            replicas: (self.replicas - before.replicas).max(0.0),
        }
    }

    /// Of the API server and its etcd.
    pub(crate) fn control_plane(self) -> f64 {
        self.api_server + self.etcd
    }
}
