//! What kinds of faults are called in tables, and what is said of one fault in a line.

use std::fmt;

use super::{
    ApiFailure, ChildChange, Direction, FaultKind, LeaseChange, LeaseOf, Listed, Oddity, Slot, WantedShards,
};

impl FaultKind {
    /// Every name that [`FaultKind::name`] gives.
    pub const NAMES: [&'static str; 49] = [
        "pause",
        "suspend",
        "crash",
        "restart",
        "terminate",
        "wall-jump",
        "partition-both",
        "partition-to-server",
        "partition-from-server",
        "slow",
        "lose-requests",
        "lose-answers",
        "break-connections",
        "dead-connections",
        "hang-watches",
        "tear-watches",
        "lag-watches",
        "api-conflict",
        "api-too-many-requests",
        "api-internal-error",
        "api-timeout-before",
        "api-timeout-after",
        "compact",
        "api-down",
        "restore",
        "hand-delete",
        "hand-blank-holder",
        "hand-label",
        "hand-short-record",
        "label-strip",
        "label-forge",
        "list-forbidden",
        "list-fails",
        "odd-bucket-label",
        "odd-spec",
        "odd-finalizer",
        "odd-bulk",
        "odd-undecodable",
        "child-disputed",
        "other-shards",
        "shards-changed",
        "shards-deleted",
        "shards-invalid",
        "unsharded",
        "unsharded-anew",
        "child-edited",
        "child-remade",
        "child-foreign",
        "strip-finalizer",
    ];

    /// What this kind is called in tables, finer than the enum: which way a partition goes makes all the difference.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause(_) => "pause",
            Self::Suspend(_) => "suspend",
            Self::Crash(_) => "crash",
            Self::Restart(_) => "restart",
            Self::Terminate(_) => "terminate",
            Self::WallJump { .. } => "wall-jump",
            Self::Partition { direction: Direction::Both, .. } => "partition-both",
            Self::Partition { direction: Direction::ToServer, .. } => "partition-to-server",
            Self::Partition { direction: Direction::FromServer, .. } => "partition-from-server",
            Self::Slow { .. } => "slow",
            Self::LoseRequests { .. } => "lose-requests",
            Self::LoseAnswers { .. } => "lose-answers",
            Self::BreakConnections { .. } => "break-connections",
            Self::DeadConnections { .. } => "dead-connections",
            Self::HangWatches(_) => "hang-watches",
            Self::TearWatches(_) => "tear-watches",
            Self::LagWatches { .. } => "lag-watches",
            Self::Api { failure: ApiFailure::Conflict, .. } => "api-conflict",
            Self::Api { failure: ApiFailure::TooManyRequests, .. } => "api-too-many-requests",
            Self::Api { failure: ApiFailure::InternalError, .. } => "api-internal-error",
            Self::Api { failure: ApiFailure::Forbidden, .. } => "api-forbidden",
            Self::Api { failure: ApiFailure::TimeoutBefore, .. } => "api-timeout-before",
            Self::Api { failure: ApiFailure::TimeoutAfter, .. } => "api-timeout-after",
            Self::Compact => "compact",
            Self::ApiDown => "api-down",
            Self::Restore { .. } => "restore",
            Self::ChangeLease { what: LeaseChange::Delete, .. } => "hand-delete",
            Self::ChangeLease { what: LeaseChange::BlankHolder, .. } => "hand-blank-holder",
            Self::ChangeLease { what: LeaseChange::Label, .. } => "hand-label",
            Self::ChangeLease { what: LeaseChange::ShortRecord, .. } => "hand-short-record",
            Self::Label { forged: None, .. } => "label-strip",
            Self::Label { forged: Some(_), .. } => "label-forge",
            Self::FailingList { forbidden: true, .. } => "list-forbidden",
            Self::FailingList { forbidden: false, .. } => "list-fails",
            Self::Oddity { what: Oddity::BucketLabel, .. } => "odd-bucket-label",
            Self::Oddity { what: Oddity::Spec, .. } => "odd-spec",
            Self::Oddity { what: Oddity::Finalizer, .. } => "odd-finalizer",
            Self::Oddity { what: Oddity::Bulk, .. } => "odd-bulk",
            Self::Oddity { what: Oddity::Undecodable, .. } => "odd-undecodable",
            Self::OtherShards { .. } => "other-shards",
            Self::WantedShards(WantedShards::Number(_)) => "shards-changed",
            Self::WantedShards(WantedShards::Deleted) => "shards-deleted",
            Self::WantedShards(WantedShards::Invalid) => "shards-invalid",
            Self::Unsharded { anew: false, .. } => "unsharded",
            Self::Unsharded { anew: true, .. } => "unsharded-anew",
            Self::StripFinalizer { .. } => "strip-finalizer",
            Self::Dispute { .. } => "child-disputed",
            Self::Children { change: ChildChange::Edited, .. } => "child-edited",
            Self::Children { change: ChildChange::Remade, .. } => "child-remade",
            Self::Children { change: ChildChange::Foreign, .. } => "child-foreign",
        }
    }

    /// Which replica it hits, where it hits one.
    pub fn slot(&self) -> Option<Slot> {
        self.clone().slot_mut().copied()
    }

    /// The same, to make it another's.
    pub fn slot_mut(&mut self) -> Option<&mut Slot> {
        match self {
            Self::Pause(slot)
            | Self::Suspend(slot)
            | Self::Crash(slot)
            | Self::Restart(slot)
            | Self::Terminate(slot)
            | Self::HangWatches(slot)
            | Self::TearWatches(slot)
            | Self::WallJump { slot, .. }
            | Self::Partition { slot, .. }
            | Self::Slow { slot, .. }
            | Self::LoseRequests { slot, .. }
            | Self::LoseAnswers { slot, .. }
            | Self::BreakConnections { slot, .. }
            | Self::DeadConnections { slot, .. }
            | Self::LagWatches { slot, .. }
            | Self::FailingList { slot, .. }
            | Self::OtherShards { slot, .. }
            | Self::ChangeLease { lease: LeaseOf::Member(slot), .. } => Some(slot),
            Self::Api { .. }
            | Self::Compact
            | Self::ApiDown
            | Self::Restore { .. }
            | Self::ChangeLease { .. }
            | Self::Label { .. }
            | Self::Unsharded { .. }
            | Self::WantedShards(_)
            | Self::Children { .. }
            | Self::Dispute { .. }
            | Self::StripFinalizer { .. }
            | Self::Oddity { .. } => None,
        }
    }
}

/// In a few words, without the replica: timelines have a column for that.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::WallJump { by_ms, .. } => write!(f, "{name} by {by_ms} ms"),
            Self::Slow { requests, answers, .. } => {
                write!(f, "{name}: requests up to {requests:?}, answers up to {answers:?}")
            }
            Self::LagWatches { by, .. } => write!(f, "{name} up to {by:?}"),
            Self::BreakConnections { within, percent, only_writes, .. } => {
                let of = if *only_writes { " of the writes of reconciles" } else { "" };
                write!(f, "{name} {percent} %{of}, up to {within:?} before the requests arrive")
            }
            Self::DeadConnections { percent, only_work, .. } => {
                let of = if *only_work { " of all but those of Leases" } else { "" };
                write!(f, "{name} {percent} %{of}")
            }
            Self::LoseRequests { percent, .. }
            | Self::LoseAnswers { percent, .. }
            | Self::Children { percent, .. }
            | Self::Api { percent, .. } => write!(f, "{name} {percent} %"),
            Self::Restore { backup } => write!(f, "{name} of the backup of {backup}"),
            Self::ChangeLease { lease, .. } => write!(f, "{name} {lease}"),
            Self::WantedShards(WantedShards::Number(shards)) | Self::OtherShards { shards, .. } => {
                write!(f, "{name}: {shards}")
            }
            Self::FailingList { of, .. } => write!(f, "{name} of {of}"),
            Self::Oddity { resource, .. }
            | Self::StripFinalizer { resource, .. }
            | Self::Dispute { resource }
            | Self::Label { resource, forged: None } => {
                write!(f, "{name} resource {}", resource.0)
            }
            Self::Label { resource, forged: Some(bucket) } => {
                write!(f, "{name} resource {} bucket {bucket}", resource.0)
            }
            _ => f.write_str(name),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resources => "resources",
            Self::Children => "StatefulSets",
            Self::Leases => "Leases",
        })
    }
}

impl fmt::Display for LeaseOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator => f.write_str("of the coordinator"),
            Self::Shard(shard) => write!(f, "of shard {shard}"),
            Self::Member(slot) => write!(f, "of the member in slot {}", slot.0),
        }
    }
}
