//! Deliberate faults. Each breaks one rule of the protocol, to prove that a test fails then.
//!
//! Only with the feature `mutants`: without it, neither this module nor any broken branch is in the program.

#[cfg(feature = "kube")]
mod pause;
mod switch;

#[cfg(feature = "kube")]
pub use pause::PausedWrite;
#[cfg(feature = "kube")]
pub(crate) use pause::pause_before;
#[doc(hidden)]
pub use switch::Switch;

crate::declare_mutants! {
    "LEASE_CORE_MUTANT";
    /// A standby compares the remote renewTime with its own wall clock.
    ExpiryByWallClock = "expiry-by-wall-clock",
    /// A standby applies its own LeaseDuration to another's record.
    ExpiryByOwnDuration = "expiry-by-own-duration",
    /// A standby assumes that a record which it sees for the first time has already expired.
    TakeoverAtFirstSight = "takeover-at-first-sight",
    /// The takeover has no uid and resourceVersion, like a merge patch.
    TakeoverWithoutVersion = "takeover-without-version",
    /// Validity counts from the answer, not from the sending.
    ValidityFromAnswer = "validity-from-answer",
    /// Validity ends at LeaseDuration instead of RenewDeadline.
    ValidityIsLeaseDuration = "validity-is-lease-duration",
    /// The leader does not count the time that its machine was suspended.
    LeaderIgnoresSuspend = "leader-ignores-suspend",
    /// A refused renewal is treated as a success.
    ConflictIsSuccess = "conflict-is-success",
    /// A write whose answer was lost is treated as a success.
    LostAnswerIsSuccess = "lost-answer-is-success",
    /// A write whose answer was lost is sent again without a read, and the conflict is treated as proof that the first write
    /// succeeded.
    RetryWithoutRead = "retry-without-read",
    /// A leader that sees another holder continues until RenewDeadline.
    LeadsOnBesideAnother = "leads-on-beside-another",
    /// A deleted Lease is free at once.
    VanishedIsFree = "vanished-is-free",
    /// A holder that was blanked by hand is treated as a release.
    BlankIsRelease = "blank-is-release",
    /// The release is sent while the work still runs.
    ReleaseBeforeDrain = "release-before-drain",
    /// The release is sent although a write of the work was not answered and may still be applied.
    ReleaseBesideUnanswered = "release-beside-unanswered",
    /// The release is sent without reading who holds the Lease, and without a resourceVersion.
    ReleaseUnseen = "release-unseen",
    /// The Lease is acquired again before the work of the last term has been joined.
    AcquireBeforeJoin = "acquire-before-join",
    /// Renewals continue although the work makes no progress.
    RenewsForTheDead = "renews-for-the-dead",
    /// A renewal has no uid, so it recreates or overwrites a Lease that was deleted.
    UpdateWithoutUid = "update-without-uid",
    /// The first failed renewal is treated as the loss of the Lease.
    FirstFailureIsLoss = "first-failure-is-loss",
    /// renewTime follows the wall clock backwards.
    RenewTimeFollowsClock = "renew-time-follows-clock",
    /// A renewTime is more precise than the record, so it does not read back as it was written.
    TimeFinerThanRecord = "time-finer-than-record",
    /// An acquisition leaves leaseTransitions as it was.
    TransitionsNotCounted = "transitions-not-counted",
    /// An older state of the Lease, delivered late, replaces a newer one.
    BelievesOldNews = "believes-old-news",
    /// Annotations that the API server refused are sent again with the next renewal.
    RefusedAnnotationRides = "refused-annotation-rides",
    /// Only the last record seen is honoured, not the one that lasts longest.
    LastRecordOnly = "last-record-only",
    /// A release ends the wait for all earlier holders, including those that were overwritten.
    ReleaseFreesAll = "release-frees-all",
    /// A release in an object that replaced another one ends the wait for unseen holders of the earlier object.
    ReplacedIsFree = "replaced-is-free",
    /// After history was rewound, states older than what was known are still ignored.
    OldNewsAfterRewind = "old-news-after-rewind",
    /// A term continues after history was rewound, with a fencing token that is void.
    TermsSurviveRewind = "terms-survive-rewind",
    /// A write that is accepted with an older version than was known when it was sent is not treated as proof of a restore.
    WritesProveNoRewind = "writes-prove-no-rewind",
    /// The Lease of a process that has ended is taken although requests of it may still be on their way.
    EndedIsGoneAtOnce = "ended-is-gone-at-once",
    /// If any process is proven to have ended, every holder is treated like it.
    AnyHolderHasEnded = "any-holder-has-ended",
    /// Processes count as ended although another process holds the lock that would prove it.
    LockNotAwaited = "lock-not-awaited",
    /// The client of a term sends every request, whether the term is valid or not.
    OpenGate = "open-gate",
    /// Requests have no time limit.
    NoRequestLimit = "no-request-limit",
}
