//! What a run leaves behind, for the checkers: as an observer outside of every replica saw it.

use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::{Record, Replica};
use serde_json::Value;

use crate::schedule::{Fault, Schedule, Slot};
use crate::time::TrueTime;

/// Everything that was seen.
#[derive(Debug)]
pub struct Observations {
    /// What was to be done.
    pub schedule: Schedule,
    /// The processes that ran, in order of their starts.
    pub processes: Vec<Process>,
    /// Their reconcile records. All instants (`boot_ns` and its kin) are true time in nanoseconds, and so is the wall clock.
    pub records: Vec<Record>,
    /// Every request that the API server received, in the order in which it received them.
    pub requests: Vec<ReceivedRequest>,
    /// Every state that a Lease went through, in order.
    pub leases: Vec<LeaseState>,
    /// Every read of a child by a replica, what lists and watches showed it, and every write, in the order in which they were carried out.
    pub children: Vec<ChildAccess>,
    /// What went wrong, as it happened.
    pub faults: Vec<ObservedFault>,
    /// When etcd came back from a backup, in order. Versions and tokens go back then.
    pub restores: Vec<TrueTime>,
    /// When the last fault and the last edit were over: liveness is judged from here.
    pub quiet_from: TrueTime,
    /// When everything was seen to be as asked for; `None` if it never was.
    pub converged: Option<TrueTime>,
    /// What was not as asked for at the end, one sentence each.
    pub missing: Vec<String>,
    /// When the run was over.
    pub ended: TrueTime,
    /// The last spec that users wrote, of every `Memcached` that they have not deleted, by name.
    pub desired: BTreeMap<String, DesiredSpec>,
    /// The same of the kind that is not sharded.
    pub profiles: BTreeMap<String, DesiredProfile>,
    /// Every object that was there at the end, by `<plural>/<name>`.
    pub objects: BTreeMap<String, Value>,
    /// What replicas logged as errors or panicked with, one sentence each. A panic is a violation.
    pub panics: Vec<String>,
}

/// What a user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSpec {
    /// The uid of the object.
    pub uid: String,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.memoryLimitMegabytes`.
    pub memory: i32,
    /// The shard keys that it has had since its creation, any of which its bucket may be the hash of: `namespace/name`, or the
    /// values of the key label, in order.
    pub keys: Vec<String>,
    /// When it was created.
    pub created: TrueTime,
}

/// What a user asked for, of the kind that is not sharded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredProfile {
    /// The uid of the object.
    pub uid: String,
    /// `spec.level`.
    pub level: i32,
    /// When it was created.
    pub created: TrueTime,
}

/// One process of a replica.
#[derive(Clone, Debug)]
pub struct Process {
    /// Where it ran.
    pub slot: Slot,
    /// Its holderIdentity.
    pub identity: Replica,
    /// How many shards it was set to.
    pub shards: u16,
    /// The processes that it knew to have ended, as it started in the same Pod.
    pub ended_before: Vec<Replica>,
    /// When it started.
    pub started: TrueTime,
    /// When it ended, and how; `None` if it ran until the end.
    pub ended: Option<(TrueTime, Exit)>,
    /// How fast its clocks ran: local time per true time.
    pub rate: f64,
}

/// holderIdentity of the operator that does not shard ([`crate::schedule::FaultKind::Unsharded`]).
pub const UNSHARDED: &str = "memcached-operator-before_1";

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was killed.
    Killed,
    /// It was told to stop, and did.
    Clean,
    /// It ended itself, since work could not be stopped in time.
    Overrun,
    /// `run` returned without having been told to.
    Unasked,
}

/// A request as the API server received it.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Whose; `None` for users and stand-ins.
    pub by: Option<Replica>,
    /// Its User-Agent.
    pub user_agent: String,
    /// When it was sent.
    pub sent: TrueTime,
    /// How many records its sender had written down by then. Much may happen in one instant.
    pub recorded: usize,
    /// When it arrived. Carried out in the same instant.
    pub arrived: TrueTime,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The HTTP status that was answered.
    pub code: u16,
    /// Whether it was carried out: true of every success, and of a 504 that landed.
    pub landed: bool,
    /// Whether the answer reached the client.
    pub answer: AnswerFate,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFate {
    /// It was delivered, so long after the arrival of the request.
    Delivered(Duration),
    /// It was lost, or its client was gone.
    Lost,
}

/// A Lease after one of its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// The Lease's name.
    pub name: String,
    /// When the change was made.
    pub at: TrueTime,
    /// When the request that made it was sent.
    pub sent: TrueTime,
    /// Who made it; `None` for users and stand-ins.
    pub by: Option<Replica>,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion` after the change.
    pub version: u64,
    /// `spec`, or `None` if the Lease was deleted.
    pub spec: Option<LeaseSpec>,
    /// Whether no request made it, but a restore of etcd: it is as in the backup.
    pub restored: bool,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// The record of a Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseSpec {
    /// `holderIdentity`; empty for nobody.
    pub holder: String,
    /// `leaseDurationSeconds`.
    pub duration: Duration,
    /// `leaseTransitions`.
    pub transitions: i64,
    /// `renewTime`, as written.
    pub renewed: Option<jiff::Timestamp>,
    /// `acquireTime`, as written.
    pub acquired: Option<jiff::Timestamp>,
}

/// A read or a write of a child by a replica, as the API server carried it out.
#[derive(Clone, Debug)]
pub struct ChildAccess {
    /// Whose.
    pub by: Replica,
    /// When it was sent.
    pub sent: TrueTime,
    /// When it was carried out.
    pub arrived: TrueTime,
    /// When the answer, which shows `after`, reached the sender; `None` if it was lost or showed nothing.
    pub known: Option<TrueTime>,
    /// `<plural>/<name>`.
    pub child: String,
    /// Whether it was a write.
    pub write: bool,
    /// What was there before.
    pub before: Option<ChildState>,
    /// What was there afterwards.
    pub after: Option<ChildState>,
}

/// One state of a child.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildState {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: String,
    /// It belongs to no Memcached, by its owner and its labels.
    pub foreign: bool,
}

/// A fault as it happened.
#[derive(Clone, Debug)]
pub struct ObservedFault {
    /// As scheduled.
    pub fault: Fault,
    /// When it began.
    pub from: TrueTime,
    /// When it was over.
    pub to: TrueTime,
    /// Which process it befell, where it befell one.
    pub process: Option<Replica>,
    /// How many reconciles it hit: those that were running on whom it befell when it began, or that had a request of theirs
    /// touched by it.
    pub reconciles_hit: u64,
    /// How many Lease writes it hit: in flight when it began, lost, delayed or refused by it.
    pub lease_writes_hit: u64,
    /// How many messages it touched: lost, delayed, refused.
    pub messages: u64,
    /// How many watches it silenced for good, without an end.
    pub watches_hit: u64,
    /// How many lists of a shard's resources it kept from being answered.
    pub first_lists_hit: u64,
}
