//! What the state machine is told.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Successors;
use crate::effect::AttemptId;
use crate::identity::Identity;
use crate::record::ObservedLease;
use crate::revision::Uid;
use crate::time::{Monotonic, Now};

/// All that the machine may know of the outer world besides the event itself.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The clocks. Every decision goes by these.
    pub now: Now,
    /// The wall clock, written into records for people to read and never compared with anything local.
    pub wall: Timestamp,
    /// A random number from 0 to 1, for jitter.
    pub roll: f64,
    /// Whether the work has lately shown a sign of life. A leader whose work is wedged must not renew.
    pub work_alive: bool,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The deadline of [`Elector::next_timeout`](crate::Elector::next_timeout) has come, or nothing in particular.
    Timeout,
    /// The watch showed a state of the Lease, perhaps an old one.
    Watched(ObservedLease),
    /// The watch showed that this object is gone, or left the watch's selector.
    Vanished(Uid),
    /// The answer to [`Effect::Read`](crate::Effect::Read); `None` where there is no such Lease.
    Read(Option<ObservedLease>),
    /// The read failed or timed out.
    ReadFailed {
        /// The server's Retry-After.
        retry_after: Option<Duration>,
    },
    /// The write was accepted; the Lease as it stands now, or `None` after a deletion.
    WriteLanded(AttemptId, Option<ObservedLease>),
    /// The write was certainly not carried out.
    WriteRefused(AttemptId, Refusal),
    /// Nobody can tell whether the write was carried out, or still will be: no answer, a timeout, a 5xx.
    WriteUnknown(AttemptId),
    /// A write of the work was given up on without an answer that tells whether it was carried out: it may still land. To be
    /// told before [`Event::WorkEnded`].
    Unanswered {
        /// When its sender stopped waiting, by `CLOCK_MONOTONIC`.
        given_up: Monotonic,
    },
    /// The work has returned, or was aborted and joined: nothing of it runs any more.
    WorkEnded,
    /// Give the Lease up in good order, in favour of `successor` if there is one.
    StepDown {
        /// Who should hold the Lease next.
        successor: Option<Identity>,
    },
    /// End the term at once, as on a loss: what gave this process the right to act under the Lease is gone, although it still
    /// holds it. To be told not to contend as well, or it contends again.
    Abandon,
    /// Contend from now on, or do not. Does not make a leader step down.
    Contend(bool),
    /// How long to leave a free Lease to others from now on.
    AcquireDelay(Duration),
    /// Whom to wait for, from now on, when a release names them.
    Successors(Successors),
    /// Renew now rather than at the end of RetryPeriod.
    RenewSoon,
    /// History was rewound, as somebody else in this process has proved. No state that an earlier history showed may follow.
    Rewound,
    /// Whether the watch is known to be live. While it is not, the machine polls.
    WatchHealthy(bool),
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The Lease is not what it was: 409, or 404 on an update. This is news, not an error.
    Conflict,
    /// Anything else that says "not carried out": 403, 422, 429.
    Rejected {
        /// The server's Retry-After.
        retry_after: Option<Duration>,
    },
}
