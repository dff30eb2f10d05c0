//! The input of the state machine.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Successors;
use crate::effect::AttemptId;
use crate::identity::Identity;
use crate::record::ObservedLease;
use crate::revision::Uid;
use crate::time::{Monotonic, Now};

/// The environment at the time of an event.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The clocks. All decisions use these.
    pub now: Now,
    /// The wall clock, written into records for people to read and never compared with anything local.
    pub wall: Timestamp,
    /// A random number from 0 to 1, for jitter.
    pub roll: f64,
    /// Whether the work has made progress recently. A leader whose work hangs must not renew.
    pub work_alive: bool,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The deadline of [`Elector::next_timeout`](crate::Elector::next_timeout) has passed. It does no harm to send this at any time.
    Timeout,
    /// The watch showed a state of the Lease, possibly an old one.
    Watched(ObservedLease),
    /// The watch showed that this object was deleted, or that the watch's selector no longer matches it.
    Vanished(Uid),
    /// The answer to [`Effect::Read`](crate::Effect::Read); `None` if there is no such Lease.
    Read(Option<ObservedLease>),
    /// The read failed or timed out.
    ReadFailed {
        /// The server's Retry-After.
        retry_after: Option<Duration>,
    },
    /// The write was accepted, with the new state of the Lease, or `None` after a deletion.
    WriteLanded(AttemptId, Option<ObservedLease>),
    /// The write was certainly not applied.
    WriteRefused(AttemptId, Refusal),
    /// It is unknown whether the write was applied, or still will be: no answer, a timeout, a 5xx.
    WriteUnknown(AttemptId),
    /// The work gave up on a write without an answer that says whether it was applied, so it may still be applied. Send this
    /// before [`Event::WorkEnded`].
    Unanswered {
        /// When its sender stopped waiting, by `CLOCK_MONOTONIC`.
        given_up: Monotonic,
    },
    /// The work has returned, or was aborted and joined: none of it runs any more.
    WorkEnded,
    /// Step down: drain the work and release the Lease, naming `successor` if there is one.
    StepDown {
        /// Who should hold the Lease next.
        successor: Option<Identity>,
    },
    /// End the term at once, as after a loss, although this process still holds the Lease. For callers that have lost another condition
    /// of their right to act. Send [`Event::Contend`]`(false)` as well, otherwise the candidate contends again.
    Abandon,
    /// Whether to contend from now on. `false` does not make a leader step down.
    Contend(bool),
    /// From now on, how long to leave a free Lease to others.
    AcquireDelay(Duration),
    /// From now on, which successors to wait for when a release names one.
    Successors(Successors),
    /// Renew now instead of at the end of RetryPeriod, for example to write an annotation.
    RenewSoon,
    /// History was rewound (etcd was restored), as another candidate of this process has proved. After this, do not send any state that was seen
    /// before the restore.
    Rewound,
    /// Whether the watch is known to work. While it does not, the machine polls.
    WatchHealthy(bool),
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The Lease has changed: 409, or 404 on an update. This is information, not an error.
    Conflict,
    /// Any other answer that says that the write was not applied: 403, 422, 429.
    Rejected {
        /// The server's Retry-After.
        retry_after: Option<Duration>,
    },
}
