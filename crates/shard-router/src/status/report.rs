//! What is reported. In JSON, each field has the name that it has here, in camelCase; what is not known is left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// The version of the JSON. It grows if a field is removed, or means something else than before. New fields, and new words for states and reasons, do not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// The status of an operator at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// When the Leases were listed, by the clock of the API server.
    pub observed_at: Timestamp,
    /// The LeaderElectionID.
    pub leader_election_id: String,
    /// The namespace of the Leases.
    pub namespace: String,
    /// Which installation holds the coordinator Lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
    /// The committed layout; `None` if none is committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutStatus>,
    /// Who holds the coordinator Lease.
    pub coordinator: Hold,
    /// The shards, by number.
    pub shards: Vec<ShardStatus>,
    /// The replicas, by identity.
    pub members: Vec<MemberStatus>,
    /// The kinds whose resources were counted.
    pub kinds: Vec<KindStatus>,
    /// What is wrong, each as a sentence that says what to do.
    pub problems: Vec<String>,
}

/// The committed layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LayoutStatus {
    /// Grows by one with each change.
    pub generation: u64,
    /// The number of shards.
    pub shards: u16,
    /// The label whose value is the shard key; `None` for `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_label: Option<String>,
    /// The version of the hash.
    pub hash_version: u32,
    /// The number of shards before the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_shards: Option<u16>,
    /// Whether the last change of the layout is complete.
    pub settled: bool,
    /// The shards whose Leases have not acknowledged the change that is under way.
    pub waits_for: Vec<u16>,
}

/// Who holds a Lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Hold {
    /// Whether somebody does.
    pub state: HoldState,
    /// holderIdentity; `None` if there is no holder, or only a placeholder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When the holder acquired the Lease, by the holder's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquire_time: Option<Timestamp>,
    /// When it was last renewed, by the holder's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_time: Option<Timestamp>,
    /// LeaseDuration of the holder, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_duration_seconds: Option<i32>,
    /// How often the holder has changed.
    pub transitions: i32,
    /// Why the holder could take it; of a free Lease, why its last holder could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takeover: Option<TakeoverStatus>,
}

/// Whether somebody holds a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum HoldState {
    /// It is held.
    Held,
    /// Its holder has not renewed it for as long as it stated. It judges by renewTime and the clock of the API server, so a holder whose clock is slow by more than
    /// that looks like this too. Replicas do not decide by it.
    Expired,
    /// It has no holder.
    Free,
    /// It was created with a placeholder as holder, which has to expire first.
    Reserved,
    /// There is no Lease.
    Missing,
}

/// The last change of the holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TakeoverStatus {
    /// `created`, `deleted`, `handed-over`, `released`, `expired` or `blanked`; see [`lease_core::TakeoverReason`].
    pub reason: String,
    /// The holder before, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ShardStatus {
    /// Its number.
    pub shard: u16,
    /// Who holds its Lease.
    #[serde(flatten)]
    pub hold: Hold,
    /// The replica that should hold it, if it is another than the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_holder: Option<String>,
    /// The generation of the layout that its holder works by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_generation: Option<u64>,
    /// How many resources it has, by kind (`Kind.group`); without kinds that could not be counted.
    pub resources: BTreeMap<String, u64>,
}

/// One replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its identity, `<pod>_<uuid>`.
    pub identity: String,
    /// Whether it takes part.
    pub state: MemberState,
    /// Which program it runs, such as `memcached-operator/0.1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The namespaces that it watches, separated by commas; `*` for all. Of a long list, how many there are, and a hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_namespaces: Option<String>,
    /// When its Lease was last renewed, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_time: Option<Timestamp>,
    /// How many shards it holds.
    pub shards: u16,
    /// Whether it holds the coordinator Lease.
    pub coordinator: bool,
}

/// Whether a replica takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum MemberState {
    /// It does.
    Alive,
    /// It is shutting down.
    Draining,
    /// It could not work on the shards that it held; its `/readyz` says why.
    Unable,
    /// Its Lease has expired.
    Expired,
}

/// The resources of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KindStatus {
    /// `Kind.group`; the group of the core API is left out.
    pub kind: String,
    /// Whether it is sharded. If not, the holder of the coordinator Lease reconciles all of its resources.
    pub sharded: bool,
    /// How many resources there are; `None` if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many of them have no bucket label yet, or an invalid one: nobody reconciles these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unstamped: Option<u64>,
}

/// The short answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every shard has a holder.
    Held,
    /// Some shard has none, or nobody works on shards at all.
    NotHeld,
    /// There is no layout, so it is not known which shards there should be.
    Unknown,
}

impl Status {
    /// The short answer. Kinds that are not sharded count too: they need a holder of the coordinator Lease.
    pub fn verdict(&self) -> Verdict {
        if self.layout.is_none() {
            return Verdict::Unknown;
        }
        let unsharded = self.kinds.iter().any(|kind| !kind.sharded);
        let mut holds = self.shards.iter().map(|shard| &shard.hold);
        let held = holds.all(|hold| hold.state == HoldState::Held)
            && (!unsharded || self.coordinator.state == HoldState::Held);
        if held { Verdict::Held } else { Verdict::NotHeld }
    }

    /// Whether anything differs but the times of renewals and of the observation.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.without_renewals() != other.without_renewals()
    }

    fn without_renewals(&self) -> Self {
        let mut status = self.clone();
        status.observed_at = Timestamp::UNIX_EPOCH;
        status.coordinator.renew_time = None;
        status.shards.iter_mut().for_each(|shard| shard.hold.renew_time = None);
        status.members.iter_mut().for_each(|member| member.renew_time = None);
        status
    }
}

impl Hold {
    /// The Pod of the holder.
    pub fn pod(&self) -> Option<&str> {
        self.holder.as_deref().map(pod_of)
    }
}

/// The Pod in an identity.
pub(super) fn pod_of(identity: &str) -> &str {
    identity.split_once('_').map_or(identity, |(pod, _)| pod)
}
