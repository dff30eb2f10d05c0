//! The reconcile record: what each replica wrote down about its holds and its reconciles.
//!
//! A replica appends one JSON object per line, flushed before the reconcile sends its first request. This
//! module reads those lines back. It deliberately shares no code with the router that writes them: a mistake
//! made in a shared type would be invisible to the checker.
//!
//! Nothing is dropped in silence. Lines that were torn by a kill, records of a type that this version does
//! not know and records whose fields do not fit are counted in the [`Tally`].

mod ids;
mod parse;
mod stamp;

use serde::{Deserialize, Serialize};

pub use ids::{BootId, CrKey, ReconcileId, Replica, Shard, Token, Uid};
pub use parse::{MalformedLine, RecordLog, Tally};
pub use stamp::{BootTime, Stamp};

/// One line of a reconcile record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The process that wrote it: its holderIdentity, unique per process.
    pub replica: Replica,
    /// The wall clock at the event. Only used to relate `boot` to the API server's audit log.
    pub wall: jiff::Timestamp,
    /// `CLOCK_BOOTTIME` at the event, comparable between all processes of one machine.
    #[serde(rename = "boot_ns")]
    pub boot: BootTime,
    /// Which boot of which machine `boot` counts from.
    pub boot_id: BootId,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Body {
    /// A process started.
    ReplicaStart {
        /// The process id, in its own PID namespace.
        #[serde(default)]
        pid: Option<u32>,
        /// The Pod's name.
        #[serde(default)]
        pod: Option<String>,
        /// The user agent of its requests.
        #[serde(default)]
        user_agent: Option<String>,
        /// The version of the operator.
        #[serde(default)]
        version: Option<String>,
    },
    /// A Lease was acquired.
    HoldBegin {
        /// The Lease's name.
        lease: String,
        /// The shard it stands for; none for coordinator and member Leases.
        #[serde(default)]
        shard: Option<Shard>,
        /// The fencing token of this hold.
        token: Token,
        /// When the acquisition was sent: validity counts from there.
        #[serde(default, rename = "sent_boot_ns")]
        sent: Option<BootTime>,
        /// When the hold ends unless it is renewed; none when it was over before it could be written down.
        #[serde(default, rename = "valid_until_boot_ns")]
        valid_until: Option<BootTime>,
    },
    /// A renewal was answered.
    HoldRenewed {
        /// The Lease's name.
        lease: String,
        /// The shard it stands for.
        #[serde(default)]
        shard: Option<Shard>,
        /// The fencing token of this hold.
        token: Token,
        /// When the hold now ends unless it is renewed again.
        #[serde(rename = "valid_until_boot_ns")]
        valid_until: BootTime,
    },
    /// Validity has ended: lost, run out, or about to be released.
    HoldEnd {
        /// The Lease's name.
        lease: String,
        /// The shard it stands for.
        #[serde(default)]
        shard: Option<Shard>,
        /// The fencing token of this hold.
        token: Token,
        /// Why, in the writer's words: `released`, `lost`, …
        #[serde(default)]
        reason: String,
    },
    /// The takeover barrier is passed: the cache has reached a list taken after the acquisition.
    StartReady {
        /// The shard.
        shard: Shard,
        /// The fencing token of the hold.
        token: Token,
        /// How many CRs the cache then had.
        #[serde(default)]
        objects: u64,
    },
    /// A reconcile is about to send its first request.
    Begin {
        /// The CR.
        cr: CrKey,
        /// Its uid.
        uid: Uid,
        /// Its generation as seen by the reconcile.
        #[serde(default)]
        generation: Option<i64>,
        /// Its bucket.
        #[serde(default)]
        bucket: Option<u32>,
        /// The shard under whose hold it runs.
        shard: Shard,
        /// The fencing token of that hold.
        token: Token,
        /// Unique among the reconciles of this process.
        reconcile: ReconcileId,
    },
    /// A reconcile has ended by itself.
    End {
        /// The CR.
        cr: CrKey,
        /// Unique among the reconciles of this process.
        reconcile: ReconcileId,
        /// How.
        outcome: Outcome,
    },
    /// A reconcile was dropped before its end.
    Aborted {
        /// The CR.
        cr: CrKey,
        /// Unique among the reconciles of this process.
        reconcile: ReconcileId,
    },
    /// A process ended in an orderly way.
    ReplicaEnd {
        /// `clean`, or why not.
        #[serde(default)]
        exit: String,
    },
}

/// How a reconcile ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The reconciler returned an action.
    Ok,
    /// The reconciler returned an error.
    Error,
    /// The reconciler panicked.
    Panic,
    /// A word that this version does not know: certainly not a success.
    #[serde(other)]
    Other,
}
