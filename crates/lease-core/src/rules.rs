//! The rules of the protocol, each a pure function with its deliberate fault beside it.
//!
//! [`Elector`](crate::Elector) decides *when* to do what; what a rule says is said here, once. A fault exists only with the feature
//! `mutants` and is off until a test switches it on; without the feature, the compiler drops `broken!`. Faults that are more than a wrong
//! answer, such as a write that goes out too early, are in `elector::faults`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Creation;
use crate::identity::Identity;
use crate::record::LeaseRecord;
use crate::revision::{ResourceVersion, Revision};
use crate::time::{Monotonic, Now};
use crate::timings::Timings;
use crate::{broken, invariant};

// When a Lease is free.

/// For how long a holder is honoured after its record was last seen to change: for the LeaseDuration that it states itself, and only
/// where it states none for one's own.
pub(crate) fn honoured_for(stated: Option<Duration>, own: Duration) -> Duration {
    broken!(ExpiryByOwnDuration => own);
    stated.unwrap_or(own)
}

/// Until when a Lease is honoured on which a change was seen at `now`. Whatever was honoured before is honoured until it expires, whatever
/// somebody wrote over it: whom that happened to need not know yet.
pub(crate) fn honoured_until(before: Monotonic, now: Monotonic, duration: Duration) -> Monotonic {
    broken!(ExpiryByOwnDuration => now + duration);
    broken!(LastRecordOnly => now + duration);
    before.max(now + duration)
}

/// Whether the last holder has given the Lease up. A holder that somebody blanked by hand has not, and may not know.
pub(crate) fn is_release(record: &LeaseRecord) -> bool {
    broken!(BlankIsRelease => record.holder.is_none());
    record.is_released()
}

/// Until when a Lease is honoured after a release was seen at `now`: that ends the wait for the holder whom it follows, and for nobody else.
///
/// `honoured` is until when it was so far, and `written_over` the part of it that is due to holders who were written over.
pub(crate) fn honoured_after_release(
    follows_the_holder: bool,
    honoured: Monotonic,
    written_over: Monotonic,
    now: Monotonic,
) -> Monotonic {
    broken!(ReleaseFreesAll => now);
    // The delay counts from `now`.
    if follows_the_holder { written_over.max(now) } else { honoured.max(now) }
}

/// Until when a Lease is honoured whose object was replaced by another one: its last holder need not have been seen, and may not know that it
/// was deleted.
pub(crate) fn honoured_after_replacement(honoured: Monotonic, now: Monotonic, wait: Duration) -> Monotonic {
    broken!(ReplacedIsFree => honoured);
    honoured.max(now + wait)
}

/// Whether a Lease that is not there is created in nobody's name first, and has to expire like any other: somebody may have held one
/// that was deleted.
pub(crate) fn new_lease_has_to_expire(creation: Creation) -> bool {
    broken!(VanishedIsFree => false);
    creation == Creation::AfterWaiting
}

/// Whether the Lease may be taken as far as this process itself is concerned: nothing of an earlier term may still run in it.
pub(crate) fn may_acquire(work_runs: bool) -> bool {
    broken!(AcquireBeforeJoin => true);
    !work_runs
}

// Until when a holder may act.

/// Until when a holder may act whose write was sent at `sent` and has succeeded: for RenewDeadline from its sending. Others wait for
/// LeaseDuration, from an instant that is later.
pub(crate) fn valid_until(sent: Now, answered: Now, timings: &Timings) -> Now {
    invariant!(
        sent.monotonic <= answered.monotonic,
        "answered at {answered:?} before it was sent, at {sent:?}"
    );
    broken!(ValidityFromAnswer => answered.after(timings.renew_deadline()));
    broken!(ValidityIsLeaseDuration => sent.after(timings.lease_duration()));
    sent.after(timings.renew_deadline())
}

/// What is left of a validity by both clocks: the one that ran faster counts, so that a suspended machine wakes up without it.
pub(crate) fn left_of_validity(monotonic: Duration, boottime: Duration) -> Duration {
    broken!(LeaderIgnoresSuspend => monotonic);
    monotonic.min(boottime)
}

/// Whether a leader may renew: one whose work is wedged must lose its Lease.
pub(crate) fn may_renew(work_alive: bool) -> bool {
    broken!(RenewsForTheDead => true);
    work_alive
}

/// Whether a record ends the term of `identity`: someone else, or nobody, holds the Lease.
pub(crate) fn ends_the_term_of(identity: &Identity, record: &LeaseRecord) -> bool {
    broken!(LeadsOnBesideAnother => false);
    !record.is_held_by(identity)
}

/// Whether a rewind of history ends the terms of before: their fencing tokens are void.
pub(crate) fn rewind_ends_terms() -> bool {
    broken!(TermsSurviveRewind => false);
    true
}

// What is given up, and when.

/// Whether the release waits for a read that shows whose Lease it is now.
pub(crate) fn release_needs_a_read() -> bool {
    broken!(ReleaseUnseen => false);
    true
}

/// The earliest instant of a release that the pause after a failure allows at `retry_at`: a write of the work that nobody waits for any
/// more may land until `quiet_at`.
pub(crate) fn release_at(retry_at: Monotonic, quiet_at: Monotonic) -> Monotonic {
    broken!(ReleaseBesideUnanswered => retry_at);
    retry_at.max(quiet_at)
}

// What a record says.

/// A renewTime that nobody wrote before: the wall clock's, or a microsecond more than the latest that was seen.
pub(crate) fn next_renew_time(latest: Option<Timestamp>, wall: Timestamp) -> Timestamp {
    // The wire has microseconds, and what was written must read back the same.
    let wall = Timestamp::from_microsecond(wall.as_microsecond()).unwrap_or(wall);
    broken!(RenewTimeFollowsClock => wall);
    match latest {
        Some(latest) if latest >= wall => {
            latest.checked_add(SignedDuration::from_micros(1)).unwrap_or(latest)
        }
        _ => wall,
    }
}

/// leaseTransitions for a new holder: one more than the largest ever seen, a deleted Lease's included.
pub(crate) fn next_transitions(most: Option<u32>) -> u32 {
    broken!(TransitionsNotCounted => most.unwrap_or_default());
    most.map_or(0, |most| most.saturating_add(1))
}

// What an answer proves.

/// Whether a state is newer than the one that is known. Watches deliver old ones.
pub(crate) fn is_news(seen: ResourceVersion, known: ResourceVersion) -> bool {
    broken!(BelievesOldNews => true);
    seen > known
}

/// Whether a consistent read that was sent when `known` had been seen proves, by returning `read`, that history was rewound.
pub(crate) fn read_proves_rewind(known: &Revision, read: &Revision) -> bool {
    broken!(OldNewsAfterRewind => false);
    read.proves_rewind_after(known)
}

/// Whether a write of one's own that was sent when `known` had been seen proves it, by being accepted as `landed`: the version that a write
/// gets is above all that were given before, and so above what was known when it was sent, however late this is learned.
pub(crate) fn write_proves_rewind(known: &Revision, landed: &Revision) -> bool {
    broken!(WritesProveNoRewind => false);
    landed.proves_rewind_after(known)
}

/// Whether a read is owed after a write without an answer: it may have landed, or land yet.
pub(crate) fn unanswered_write_needs_a_read() -> bool {
    broken!(RetryWithoutRead => false);
    true
}

/// Whether the renewal after one that failed with annotations on it goes without: they may be why it was refused.
pub(crate) fn renewal_after_failure_is_bare() -> bool {
    broken!(RefusedAnnotationRides => false);
    true
}

/// Whether an annotation is given up on that went out alone and was refused, or that has failed too often.
pub(crate) fn annotation_is_given_up(refused_alone: bool, tried_enough: bool) -> bool {
    broken!(RefusedAnnotationRides => false);
    refused_alone || tried_enough
}

#[cfg(feature = "kube")]
pub(crate) use requests::{answer_tells_of_a_write, request_limit};

#[cfg(feature = "kube")]
mod requests {
    use std::time::Duration;

    use crate::broken;

    /// Whether the answer to a write tells if it was carried out: with a success it was, with a refusal it was not, and will not be.
    ///
    /// 408 and 499 are timeouts, and of a 5xx nobody knows how far it got: etcd may still commit what the API server no longer waits for.
    /// A redirect is none of the API server's own answers, so whoever sent it may have passed the request on.
    pub(crate) fn answer_tells_of_a_write(status: u16) -> bool {
        matches!(status, 200..=299 | 400..=407 | 409..=498)
    }

    /// For how long the answer to a request is waited for: a connection that died without a word never answers.
    pub(crate) fn request_limit(limit: Duration) -> Option<Duration> {
        broken!(NoRequestLimit => None);
        Some(limit)
    }
}
