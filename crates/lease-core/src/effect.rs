//! The output of the state machine.

use std::fmt;

use crate::identity::Identity;
use crate::record::LeaseRecord;
use crate::revision::{FencingToken, Revision};

/// The number of a write, which assigns answers to writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Something that the caller has to do. Each request is answered by exactly one event. There is at most one request at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Get the Lease by name, with a consistent read.
    Read,
    /// Write the Lease.
    Write(Write),
    /// This process is the leader: start the work. Answered by [`Event::WorkEnded`](crate::Event::WorkEnded) when the work has ended.
    StartWork(FencingToken),
    /// Ask the work to finish what it has begun, and to begin nothing new.
    DrainWork,
    /// Abort the work at once, and wait until none of it runs any more.
    AbortWork(EndReason),
    /// The term is over. This is information only, for logs and events.
    Ended(EndReason),
    /// A read or a write has proved that history was rewound (etcd was restored). Send
    /// [`Event::Rewound`](crate::Event::Rewound) to every other candidate of the process, and restart every watch and cache.
    Rewound {
        /// What was known when the request was sent.
        known: Revision,
        /// What its answer showed.
        read: Revision,
    },
    /// The work could not be stopped before others may act. Only the end of the process can stop it now.
    EndProcess,
}

/// One write of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The number to use in the answer.
    pub attempt: AttemptId,
    /// The purpose of the write.
    pub kind: WriteKind,
    /// The state it replaces, as uid and resourceVersion; `None` creates the Lease.
    pub base: Option<Revision>,
    /// The new record. Everything else in the object stays as it is.
    pub record: LeaseRecord,
    /// The successor to name. `None` removes one that an earlier holder may have named.
    pub successor: Option<Identity>,
}

/// The purpose of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// Create the Lease with a placeholder as holder: it has to expire before anyone may take it.
    Reserve,
    /// Take the Lease.
    Acquire,
    /// Renew it.
    Renew,
    /// Release it: write an empty holder.
    Release,
    /// Release it by deleting it.
    Delete,
}

/// Why a term ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// No renewal succeeded within RenewDeadline.
    Lapsed,
    /// The Lease names another holder, or none.
    Taken(Option<Identity>),
    /// The Lease was deleted, or replaced by another object.
    Vanished,
    /// This process released it.
    Released,
    /// The caller ended the term at once ([`Event::Abandon`](crate::Event::Abandon)).
    Abandoned,
    /// The work was asked to finish and did not within the drain timeout.
    DrainTimeout,
    /// The API server's history was rewound (etcd was restored), so the fencing token is void.
    Rewound,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lapsed => f.write_str("no renewal succeeded within RenewDeadline"),
            Self::Taken(Some(holder)) => write!(f, "the Lease names another holder, {holder}"),
            Self::Taken(None) => f.write_str("somebody removed the holder from the Lease"),
            Self::Vanished => f.write_str("the Lease was deleted"),
            Self::Released => f.write_str("released"),
            Self::Abandoned => f.write_str("the caller ended the term"),
            Self::DrainTimeout => f.write_str("the work did not finish within the drain timeout"),
            Self::Rewound => f.write_str("the API server's history was rewound, as by an etcd restore"),
        }
    }
}
