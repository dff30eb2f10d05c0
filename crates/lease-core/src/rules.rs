//! The rules of the protocol, each a pure function with its deliberate fault beside it.
//!
//! [`Elector`](crate::Elector) decides *when* to do something; the rules themselves are here, each in one place. A fault exists only with the
//! feature `mutants`, and is off until a test switches it on. Without the feature, `broken!` expands to nothing. Faults that are more than a wrong
//! result, such as a write that is sent too early, are in `elector::faults`.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::Identity;
use crate::record::{LeaseRecord, TimePrecision};
use crate::revision::{ResourceVersion, Revision};
use crate::time::{Monotonic, Now};
use crate::timings::Timings;
use crate::{broken, invariant};

// When a Lease is free.

/// For how long a holder is honoured after the last observed change of its record: for the LeaseDuration that the record states, or
/// for this candidate's own if it states none.
pub(crate) fn honoured_for(stated: Option<Duration>, own: Duration) -> Duration {
    broken!(ExpiryByOwnDuration => own);
    stated.unwrap_or(own)
}

/// Until when a Lease is honoured after a change was seen at `now`. A former holder is honoured until it expires, even if somebody
/// overwrote it, because it may not know that yet.
pub(crate) fn honoured_until(before: Monotonic, now: Monotonic, duration: Duration) -> Monotonic {
    broken!(ExpiryByOwnDuration => now + duration);
    broken!(LastRecordOnly => now + duration);
    before.max(now + duration)
}

/// When a process that is proven to have ended is gone: when nothing that it sent can be on its way any more. A Lease that it holds need not expire then.
///
/// The record names it, and the Lease is taken by an update of exactly this state. So nobody else has held the Lease since: if anybody could be
/// valid, it would be that process.
pub(crate) fn gone_at(proven_at: Monotonic, longest_transit: Duration) -> Monotonic {
    broken!(EndedIsGoneAtOnce => proven_at);
    proven_at + longest_transit
}

/// Whether a holder is this process, which has ended. Every other holder is honoured until the Lease expires.
pub(crate) fn has_ended(holder: &Identity, ended: &Identity) -> bool {
    broken!(AnyHolderHasEnded => true);
    holder == ended
}

/// Whether a lock proves that the processes have ended that held it before: the kernel passes it on when the last of them is dead.
pub(crate) fn lock_proves_the_end(is_held: bool) -> bool {
    broken!(LockNotAwaited => true);
    is_held
}

/// Whether the last holder has released the Lease. If somebody blanked the holder by hand, that holder has not released it and may not know.
pub(crate) fn is_release(record: &LeaseRecord) -> bool {
    broken!(BlankIsRelease => record.holder.is_none());
    record.is_released()
}

/// Until when a Lease is honoured after a release was seen at `now`. A release ends the wait for the holder that released, and for no other.
///
/// `honoured` is the result so far, and `written_over` the part of it that is due to overwritten holders.
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

/// Until when a Lease is honoured after its object was replaced by another one. The last holder of the deleted object may never have been seen, and may
/// not know that the object was deleted.
pub(crate) fn honoured_after_replacement(honoured: Monotonic, now: Monotonic, wait: Duration) -> Monotonic {
    broken!(ReplacedIsFree => honoured);
    honoured.max(now + wait)
}

/// Whether a missing Lease is first created with a placeholder as holder, and has to expire like any other: it may have been deleted while
/// somebody held it.
pub(crate) fn new_lease_has_to_expire(others_use_its_name: bool) -> bool {
    broken!(VanishedIsFree => false);
    others_use_its_name
}

/// Whether this process itself is ready to take the Lease: no work of an earlier term may still run.
pub(crate) fn may_acquire(work_runs: bool) -> bool {
    broken!(AcquireBeforeJoin => true);
    !work_runs
}

// Until when a holder may act.

/// Until when a holder may act after a successful write that was sent at `sent`: for RenewDeadline from the sending. Others wait for
/// LeaseDuration, from a later instant.
pub(crate) fn valid_until(sent: Now, answered: Now, timings: &Timings) -> Now {
    invariant!(
        sent.monotonic <= answered.monotonic,
        "answered at {answered:?} before it was sent, at {sent:?}"
    );
    broken!(ValidityFromAnswer => answered.after(timings.renew_deadline()));
    broken!(ValidityIsLeaseDuration => sent.after(timings.lease_duration()));
    sent.after(timings.renew_deadline())
}

/// The remaining validity. The clock that ran faster counts, so that after a suspend of the machine the term is over.
pub(crate) fn left_of_validity(monotonic: Duration, boottime: Duration) -> Duration {
    broken!(LeaderIgnoresSuspend => monotonic);
    monotonic.min(boottime)
}

/// When a Lease is renewed whose last successful write was sent at `sent`: RetryPeriod later at the latest.
///
/// With a phase it is the last instant before that which lies a multiple of RetryPeriod after the phase. All Leases of a process have the
/// same phase, so they are renewed together.
pub(crate) fn renew_at(sent: Monotonic, retry_period: Duration, phase: Option<Duration>) -> Monotonic {
    let latest = sent + retry_period;
    let Some(phase) = phase else { return latest };
    let period = retry_period.as_nanos().max(1);
    let early = (latest.since_origin().as_nanos() + period - phase.as_nanos() % period) % period;
    let early = Duration::from_nanos(u64::try_from(early).unwrap_or_default());
    Monotonic::from_origin(latest.since_origin().saturating_sub(early))
}

/// Whether a leader may renew. A leader whose work hangs must lose its Lease.
pub(crate) fn may_renew(work_alive: bool) -> bool {
    broken!(RenewsForTheDead => true);
    work_alive
}

/// Whether a record ends the term of `identity`: it names another holder, or none.
pub(crate) fn ends_the_term_of(identity: &Identity, record: &LeaseRecord) -> bool {
    broken!(LeadsOnBesideAnother => false);
    !record.is_held_by(identity)
}

/// Whether a rewind of history ends the current terms. It does, because their fencing tokens are void.
pub(crate) fn rewind_ends_terms() -> bool {
    broken!(TermsSurviveRewind => false);
    true
}

// When a Lease may be released.

/// Whether a read that shows the current holder has to precede the release.
pub(crate) fn release_needs_a_read() -> bool {
    broken!(ReleaseUnseen => false);
    true
}

/// When the Lease may be released. The pause after a failed request lasts until `retry_at`. A write that the work gave up on
/// may be applied until `quiet_at`.
pub(crate) fn release_at(retry_at: Monotonic, quiet_at: Monotonic) -> Monotonic {
    broken!(ReleaseBesideUnanswered => retry_at);
    retry_at.max(quiet_at)
}

// What is written into a record.

/// A renewTime that has not been used before: that of the wall clock, or one step later than the latest that was seen. It is as precise as the record: what is read back must
/// equal what was written, because a write whose answer was lost is recognised by it.
pub(crate) fn next_renew_time(
    latest: Option<Timestamp>,
    wall: Timestamp,
    precision: TimePrecision,
) -> Timestamp {
    broken!(TimeFinerThanRecord => next_renew_time_at(latest, wall, TimePrecision::Microseconds));
    next_renew_time_at(latest, wall, precision)
}

fn next_renew_time_at(latest: Option<Timestamp>, wall: Timestamp, precision: TimePrecision) -> Timestamp {
    let step = precision.step();
    let wall = rounded_down(wall, step);
    broken!(RenewTimeFollowsClock => wall);
    match latest {
        Some(latest) if latest >= wall => rounded_down(latest, step).checked_add(step).unwrap_or(latest),
        _ => wall,
    }
}

fn rounded_down(time: Timestamp, step: Duration) -> Timestamp {
    let step = i128::try_from(step.as_nanos()).unwrap_or(1);
    let nanoseconds = time.as_nanosecond();
    Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(step)).unwrap_or(time)
}

/// leaseTransitions for a new holder: one more than the largest value ever seen, including that of a deleted Lease.
pub(crate) fn next_transitions(most: Option<u32>) -> u32 {
    broken!(TransitionsNotCounted => most.unwrap_or_default());
    most.map_or(0, |most| most.saturating_add(1))
}

// What an answer proves.

/// Whether a state is newer than the known one. Watches may deliver old states.
pub(crate) fn is_news(seen: ResourceVersion, known: ResourceVersion) -> bool {
    broken!(BelievesOldNews => true);
    seen > known
}

/// Whether a consistent read proves that history was rewound. `known` had been seen when it was sent, and it returned `read`.
pub(crate) fn read_proves_rewind(known: &Revision, read: &Revision) -> bool {
    broken!(OldNewsAfterRewind => false);
    read.proves_rewind_after(known)
}

/// Whether a write of this process proves that history was rewound. `known` had been seen when it was sent, and it was accepted as `landed`. A write
/// gets a higher version than all writes before it, so also higher than `known`, no matter how late the answer arrives.
pub(crate) fn write_proves_rewind(known: &Revision, landed: &Revision) -> bool {
    broken!(WritesProveNoRewind => false);
    landed.proves_rewind_after(known)
}

/// Whether a read has to follow a write without an answer, which may have been applied or may still be.
pub(crate) fn unanswered_write_needs_a_read() -> bool {
    broken!(RetryWithoutRead => false);
    true
}

/// Whether the renewal after a failed one with annotations is sent without them: they may be the cause of the failure.
pub(crate) fn renewal_after_failure_is_bare() -> bool {
    broken!(RefusedAnnotationRides => false);
    true
}

/// Whether an annotation is given up: it was sent alone and refused, or it has failed too often.
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

    /// Whether the answer to a write says if it was applied. After a success it was; after a refusal it was not, and will not be.
    ///
    /// 408 and 499 are timeouts. After a 5xx, etcd may still commit the write, although the API server no longer waits for it.
    /// The API server itself does not redirect, so a proxy that does may have forwarded the request.
    pub(crate) fn answer_tells_of_a_write(status: u16) -> bool {
        matches!(status, 200..=299 | 400..=407 | 409..=498)
    }

    /// How long to wait for the answer to a request. If a connection has silently died, there never is an answer.
    pub(crate) fn request_limit(limit: Duration) -> Option<Duration> {
        broken!(NoRequestLimit => None);
        Some(limit)
    }
}
