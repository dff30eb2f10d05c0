//! A schedule: everything that will be done to an installation, as plain data.
//!
//! `Schedule::draw`, in `draw`, makes one from a seed. It can be written down, cut shorter and run again: what the world draws
//! while it runs (latencies, which request is lost) comes from `seed` too, but from streams of their own for each concern
//! (`seed.rs`), so that a schedule with one fault fewer is still much the same schedule.

mod children;
mod edit;
mod fault;
mod names;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use children::ChildChange;
pub use edit::{Edit, EditKind, ProfileEdit, ResourceIndex};
pub use fault::{
    ApiFailure, Direction, Fault, FaultKind, LeaseChange, LeaseOf, Listed, Oddity, WantedShards,
};

use crate::time::TrueTime;

/// No message takes less. The world runs its hosts in windows of twice this (lookahead), so it must hold for every message.
pub const LEAST_LATENCY: Duration = Duration::from_millis(20);

/// One of the places for a replica, as a Pod of a StatefulSet has an ordinal: who restarts in it is another process, and
/// another holderIdentity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub usize);

/// What will be done to one installation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Of everything that is drawn while it runs.
    pub seed: u64,
    /// LeaseDuration, RenewDeadline and RetryPeriod of every replica.
    pub timings: TimingsSpec,
    /// How many shards.
    pub shards: u16,
    /// Whether replicas read the wanted number of shards from a ConfigMap, which says that number unless a fault changes it.
    #[serde(default)]
    pub shards_config_map: bool,
    /// Whether the shard key comes from a label (tenants stay together), or is `namespace/name`.
    pub key_label: bool,
    /// The replicas that there are, one for each slot.
    pub replicas: Vec<ReplicaSpec>,
    /// How many `Memcached` are there from the start.
    pub resources: usize,
    /// How many resources there are from the start of a kind that is not sharded; without any, the operator has no such kind.
    #[serde(default)]
    pub profiles: usize,
    /// Between which bounds a reconcile waits between reading and writing.
    pub reconcile: Span,
    /// How a healthy network is.
    pub network: NetworkSpec,
    /// How long faults and edits go on; the quiet phase follows.
    pub busy_for: Duration,
    /// In order of their beginning.
    pub faults: Vec<Fault>,
    /// In order of their time.
    pub edits: Vec<Edit>,
}

/// The timings, as they are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimingsSpec {
    /// LeaseDuration, in whole seconds.
    pub lease_duration: Duration,
    /// RenewDeadline.
    pub renew_deadline: Duration,
    /// RetryPeriod.
    pub retry_period: Duration,
}

impl TimingsSpec {
    /// LeaseDuration − RenewDeadline: how long a request may be held up in the network at most, by the assumption that the
    /// promise rests on.
    pub fn margin(self) -> Duration {
        self.lease_duration.saturating_sub(self.renew_deadline)
    }

    /// LeaseDuration + RetryPeriod: from a fault to the next valid holder.
    pub fn bound(self) -> Duration {
        self.lease_duration + self.retry_period
    }
}

/// A range to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// At least.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

/// A healthy network: how long one message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Of nearly all messages.
    pub latency: Span,
    /// Of one message in a hundred.
    pub straggler: Span,
}

/// A replica and its machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaSpec {
    /// When its first process starts.
    pub starts: TrueTime,
    /// How much faster its clocks run than true time, in millionths; negative if slower.
    pub drift_ppm: i32,
    /// How far ahead of true time its wall clock is, in milliseconds.
    pub wall_offset_ms: i64,
    /// How long its machine has been up at the start: what CLOCK_MONOTONIC reads.
    pub uptime: Duration,
}
