//! [`RunError`]: why a replica did not start.

use lease_core::{InvalidOption, NameError, PoolError, ResourceLock, StartError};

use crate::{options::Options, routing::kind_set::KindSetError};

/// Why a replica could not start. Each error is fatal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No kind was declared.
    #[error(
        "no kind was declared, so there is nothing to reconcile; declare one with `ShardedApp::controller`, and call `run` on it"
    )]
    NoKind,
    /// One kind was declared twice.
    #[error("{kind} was declared twice; declare each kind once, with all types that it owns")]
    KindTwice {
        /// As `Kind.group`.
        kind: String,
    },
    /// A namespaced kind was declared to own a cluster-scoped one.
    #[error(
        "{kind} is namespaced, so it cannot own the cluster-scoped {owned}: the garbage collector cannot follow an owner reference out of all namespaces; \
         let a cluster-scoped kind own it, or delete it in a finalizer and do not declare it with `owns`"
    )]
    OwnsClusterScoped {
        /// The kind, as `Kind.group`.
        kind: String,
        /// The kind of the children.
        owned: String,
    },
    /// The kinds cannot be recorded in the layout.
    #[error("the declared kinds cannot be recorded in the layout: {0}")]
    Kinds(KindSetError),
    /// The elections are held on another kind of object than Leases, see [`LegacyLock`].
    #[error(transparent)]
    LegacyLock(#[from] LegacyLock),
    /// The options ask for fencing, which is not possible with them.
    #[error(transparent)]
    Fencing(#[from] CannotFence),
    /// The client could not be created, see [`PoolError`].
    #[error(transparent)]
    Client(#[from] PoolError),
    /// Leader election could not be started, see [`StartError`].
    #[error(transparent)]
    Elections(#[from] StartError),
    /// The LeaderElectionID is too long for the names of shard or member Leases.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option is invalid, see [`InvalidOption`].
    #[error(transparent)]
    Option(#[from] InvalidOption),
}

/// A legacy resource lock, which a replica must not use for its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the resource lock {:?} cannot be used for shards: holders, acknowledged layouts, members and the plan are recorded on Leases, which each replica \
     follows with one watch; a replica with another lock would not see those of the others, and would reconcile the same resources; use \"leases\"",
    .0.as_str()
)]
pub struct LegacyLock(ResourceLock);

impl LegacyLock {
    /// Checks that a lock can be used for shards.
    ///
    /// # Errors
    ///
    /// If it is a legacy one.
    pub fn refuse(lock: ResourceLock) -> Result<(), Self> {
        if lock.is_legacy() { Err(Self(lock)) } else { Ok(()) }
    }
}

/// Why a replica cannot write the ownership table ([`fencing`](crate::fencing)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotFence {
    /// The rows name the Pod.
    #[error(
        "with fencing, a replica has to know its Pod; set POD_NAME and POD_UID by the Downward API, or give the Pod with `Options::with_pod`"
    )]
    NoPod,
    /// A row needs a fencing token, which is a version of a Lease.
    #[error("fencing needs leader election; switch it on, or do not ask for fencing")]
    NoElection,
}

impl CannotFence {
    /// Checks that a replica with these options can do what they ask for.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn check(options: &Options) -> Result<(), Self> {
        match options.fencing {
            Some(_) if !options.elections.leader_election => Err(Self::NoElection),
            Some(_) if options.pod.is_none() => Err(Self::NoPod),
            _ => Ok(()),
        }
    }
}
