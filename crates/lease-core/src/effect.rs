//! What the state machine asks for.

use std::fmt;

use crate::identity::Identity;
use crate::record::LeaseRecord;
use crate::revision::{FencingToken, Revision};

/// Numbers the writes of one machine, so that answers can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Something to be done. Each request is answered by exactly one event, and at most one request is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Get the Lease by name, with a consistent read.
    Read,
    /// Write the Lease.
    Write(Write),
    /// This process leads: start the work. Answered by [`Event::WorkEnded`](crate::Event::WorkEnded) when it is over.
    StartWork(FencingToken),
    /// Ask the work to finish what it has begun, and to begin nothing.
    DrainWork,
    /// Stop the work at once, and wait until nothing of it runs.
    AbortWork(EndReason),
    /// The term is over; no more than a notice, in case someone wants to tell it.
    Ended(EndReason),
    /// A read or a write has proved that history was rewound (etcd was restored): every other candidate of the process is to hear
    /// [`Event::Rewound`](crate::Event::Rewound), and every watch and cache is to begin anew.
    Rewound {
        /// What was known when the request was sent.
        known: Revision,
        /// What its answer showed.
        read: Revision,
    },
    /// The work could not be stopped before others may act: only the end of the process stops it now.
    EndProcess,
}

/// One write of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// To be named in the answer.
    pub attempt: AttemptId,
    /// What it is for.
    pub kind: WriteKind,
    /// The state it replaces, as uid and resourceVersion; `None` creates the Lease.
    pub base: Option<Revision>,
    /// What the Lease is to say. Everything else on the object is kept as it is.
    pub record: LeaseRecord,
    /// Whom to name as successor. `None` clears what an earlier holder may have named.
    pub successor: Option<Identity>,
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// Create the Lease, in nobody's name: it has to expire before anyone may take it.
    Reserve,
    /// Take the Lease.
    Acquire,
    /// Keep it.
    Renew,
    /// Give it up by an empty holder.
    Release,
    /// Give it up by deleting it.
    Delete,
}

/// Why a term ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// No renewal succeeded within RenewDeadline.
    Lapsed,
    /// Another holder, or none, stands in the Lease.
    Taken(Option<Identity>),
    /// The Lease is gone, or another object has its name.
    Vanished,
    /// This process gave it up.
    Released,
    /// This process was told to stop at once.
    Abandoned,
    /// The work was asked to finish and did not within the drain timeout.
    DrainTimeout,
    /// The API server's history was rewound, so that the fencing token is void.
    Rewound,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lapsed => f.write_str("no renewal succeeded within RenewDeadline"),
            Self::Taken(Some(holder)) => write!(f, "the Lease names another holder, {holder}"),
            Self::Taken(None) => f.write_str("someone took the holder out of the Lease"),
            Self::Vanished => f.write_str("the Lease was deleted"),
            Self::Released => f.write_str("released"),
            Self::Abandoned => f.write_str("told to stop at once"),
            Self::DrainTimeout => f.write_str("the work did not finish within the drain timeout"),
            Self::Rewound => f.write_str("the API server's history was rewound, as by an etcd restore"),
        }
    }
}
