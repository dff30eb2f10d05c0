//! What goes wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ChildChange, ResourceIndex, Slot};
use crate::time::TrueTime;

/// Something that goes wrong for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// From when on.
    pub at: TrueTime,
    /// For how long. What happens in an instant (a crash) states how long it is until its repair (the restart).
    pub lasts: Duration,
    /// What.
    pub what: FaultKind,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The process is stopped (SIGSTOP) and goes on afterwards; its clocks go on all the while.
    Pause(Slot),
    /// The machine is suspended: CLOCK_BOOTTIME goes on, CLOCK_MONOTONIC stands still.
    Suspend(Slot),
    /// The process is killed (SIGKILL); another one starts in its slot afterwards.
    Crash(Slot),
    /// The process is killed (SIGKILL), and its container is started again in the same Pod afterwards: the next process gains the lock in the
    /// directory that both use, and so knows that this one has ended.
    Restart(Slot),
    /// The process is told to stop (SIGTERM), drains, and another one starts afterwards (from the telling on).
    Terminate(Slot),
    /// The wall clock is set, by so many milliseconds.
    WallJump {
        /// Whose.
        slot: Slot,
        /// Forwards, or backwards.
        by_ms: i64,
    },
    /// Nothing gets through.
    Partition {
        /// Whose.
        slot: Slot,
        /// Which way.
        direction: Direction,
    },
    /// Requests and answers take longer: requests up to a bound below LeaseDuration − RenewDeadline, as assumed, answers any time.
    Slow {
        /// Whose.
        slot: Slot,
        /// Added to each request, at most.
        requests: Duration,
        /// Added to each answer, at most.
        answers: Duration,
    },
    /// Some requests never arrive; the client finds its connection broken, later.
    LoseRequests {
        /// Whose.
        slot: Slot,
        /// How many of a hundred.
        percent: u8,
    },
    /// The connection breaks under some requests, and these arrive all the same: later, but within what is assumed of requests that
    /// nobody waits for any more.
    BreakConnections {
        /// Whose.
        slot: Slot,
        /// At most so long after the client has noticed.
        within: Duration,
        /// How many of a hundred.
        percent: u8,
        /// Only of writes of reconciles: Leases have connections of their own, and reads come through.
        only_writes: bool,
    },
    /// Some answers never arrive, after the request took effect.
    LoseAnswers {
        /// Whose.
        slot: Slot,
        /// How many of a hundred.
        percent: u8,
    },
    /// Connections die without a reset: watches that are open when it begins show nothing any more, ever, and so end only when their
    /// client gives them up. For as long as it lasts, requests that are sent on a dead connection are lost, or their answers are, and
    /// nobody ever says so.
    DeadConnections {
        /// Whose.
        slot: Slot,
        /// How many of a hundred are dead.
        percent: u8,
        /// Not those of Leases, which have connections of their own.
        only_work: bool,
    },
    /// Watches stay open and show nothing; afterwards they go on, late, or break.
    HangWatches(Slot),
    /// Watches break: some between two events, some in the middle of one.
    TearWatches(Slot),
    /// Each watch lags by an amount of its own, so that streams are reordered against each other.
    LagWatches {
        /// Whose.
        slot: Slot,
        /// At most.
        by: Duration,
    },
    /// The API server answers some requests badly.
    Api {
        /// How. Written down as `trouble`, as in the schedules that there are.
        #[serde(rename = "trouble")]
        failure: ApiFailure,
        /// How many of a hundred.
        percent: u8,
    },
    /// The API server forgets its history: watches that go on from an older state get 410 Gone.
    Compact,
    /// The API server is down, and every connection to it is cut.
    ApiDown,
    /// The API server is down, and comes back with etcd restored from a backup: every object is as it was then, and resourceVersions
    /// go on from there. It has to last for LeaseDuration at least, on the slowest clock, as docs say of a restore.
    Restore {
        /// When the backup was taken.
        backup: TrueTime,
    },
    /// Somebody edits or deletes a Lease. Written down as `hand`, as in the schedules and tables that there are.
    #[serde(rename = "hand")]
    ChangeLease {
        /// On which.
        lease: LeaseOf,
        /// What is done to it.
        what: LeaseChange,
    },
    /// Every list, and so every watch, of one kind of objects is refused to one replica: rights that were taken away, or a kind that the
    /// API server cannot read.
    FailingList {
        /// To whom.
        slot: Slot,
        /// Of what.
        of: Listed,
        /// By 403, or by 500.
        forbidden: bool,
    },
    /// A tenant with few rights puts something odd into a resource of his, and takes it back when the fault is over.
    Oddity {
        /// Into which.
        resource: ResourceIndex,
        /// What.
        what: Oddity,
    },
    /// The process in the slot is killed, and others start there that are set to another number of shards, until the fault is over.
    OtherShards {
        /// Whose.
        slot: Slot,
        /// How many.
        shards: u16,
    },
    /// Somebody changes the ConfigMap that says how many shards are wanted, and changes it back when the fault is over.
    WantedShards(WantedShards),
    /// An operator of a version that does not shard contends for the coordinator Lease, as client-go does, and holds it once it gets it.
    Unsharded {
        /// It does not take over the Lease that is there, but deletes it and makes its own, without any label or annotation.
        anew: bool,
        /// It releases the Lease when the fault is over, instead of leaving it to expire.
        releases: bool,
    },
    /// What replicas are shown of children is sometimes followed by somebody's change, and their writes are sometimes forestalled by one.
    Children {
        /// What is done to the child.
        change: ChildChange,
        /// After how many reads of a hundred.
        percent: u8,
    },
    /// Somebody edits the Service of a resource, in a field that the operator applies, and again after each write of the operator.
    Dispute {
        /// Whose Service.
        resource: ResourceIndex,
    },
    /// A tenant with few rights deletes a resource of his, strips the finalizer by which the operator keeps its name taken, and creates
    /// it anew under another key. An admission policy keeps him from it.
    StripFinalizer {
        /// Which resource.
        resource: ResourceIndex,
        /// For whom it is created anew.
        tenant: u8,
    },
    /// Somebody strips the bucket label of a resource, or forges another.
    Label {
        /// Which resource.
        resource: ResourceIndex,
        /// The forged bucket; `None` to strip the label.
        forged: Option<u8>,
    },
}

/// What becomes of the ConfigMap that says how many shards are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedShards {
    /// It says this number.
    Number(u16),
    /// It says something that is no number of shards.
    Invalid,
    /// It is deleted.
    Deleted,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listed {
    /// The resources themselves.
    Resources,
    /// A kind of their children.
    Children,
    /// Leases.
    Leases,
}

/// What a tenant may put into a resource: the API server accepts each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// A bucket label that is no bucket.
    BucketLabel,
    /// A spec that the operator refuses and the API server does not: an abbreviated option.
    Spec,
    /// A finalizer of the tenant's own, which keeps the resource while it is being deleted.
    Finalizer,
    /// As many labels and annotations as there is room for.
    Bulk,
    /// A condition in its status with a time that the API server takes and the operator's types do not: the object does not decode. Not
    /// every tenant may write that; it stands for whatever else the two do not agree on.
    Undecodable,
}

/// Which way nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Neither.
    Both,
    /// Requests.
    ToServer,
    /// Answers and what watches show.
    FromServer,
}

/// How an API server answers badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFailure {
    /// 409 on a write that could have been carried out.
    Conflict,
    /// 429 with Retry-After.
    TooManyRequests,
    /// 500, nothing done.
    InternalError,
    /// 403, nothing done: of lists only, see [`FaultKind::FailingList`].
    Forbidden,
    /// 504, nothing done.
    TimeoutBefore,
    /// 504, and yet done.
    TimeoutAfter,
}

/// A Lease, by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseOf {
    /// The un-suffixed one.
    Coordinator,
    /// A shard's.
    Shard(u16),
    /// The member Lease of whoever is in this slot.
    Member(Slot),
}

/// What people do to Leases with kubectl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseChange {
    /// `kubectl delete lease`.
    Delete,
    /// The holder is blanked, as `kubectl edit` would.
    BlankHolder,
    /// A label is put on it: news without a renewal.
    Label,
    /// Another holder is written over the one that is there, with a LeaseDuration of one second.
    ShortRecord,
}
