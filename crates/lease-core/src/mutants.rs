//! Deliberate faults. Each breaks one rule of the protocol, so that the tests can prove that they would see it.
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
    /// A standby takes a record that it saw for the first time for as old as its renewal, that is: expired at once.
    TakeoverAtFirstSight = "takeover-at-first-sight",
    /// Takeover without uid and resourceVersion, as a merge patch would do it.
    TakeoverWithoutVersion = "takeover-without-version",
    /// Validity counts from the answer, not from the sending.
    ValidityFromAnswer = "validity-from-answer",
    /// Validity ends at LeaseDuration instead of RenewDeadline.
    ValidityIsLeaseDuration = "validity-is-lease-duration",
    /// The leader does not count the time that its machine was suspended.
    LeaderIgnoresSuspend = "leader-ignores-suspend",
    /// A refused renewal is taken for a success.
    ConflictIsSuccess = "conflict-is-success",
    /// A write whose answer was lost is taken for a success.
    LostAnswerIsSuccess = "lost-answer-is-success",
    /// A write whose answer was lost is sent again without a fresh read, and the conflict that comes back is taken for the
    /// trace of the first one.
    RetryWithoutRead = "retry-without-read",
    /// A leader that sees another holder goes on until RenewDeadline.
    LeadsOnBesideAnother = "leads-on-beside-another",
    /// A vanished Lease is free at once.
    VanishedIsFree = "vanished-is-free",
    /// A holder blanked by hand is a release.
    BlankIsRelease = "blank-is-release",
    /// The release is sent while the work still runs.
    ReleaseBeforeDrain = "release-before-drain",
    /// The release is sent although a write of the work went unanswered, and may still land.
    ReleaseBesideUnanswered = "release-beside-unanswered",
    /// The release is sent without reading whose Lease it is, and without a resourceVersion.
    ReleaseUnseen = "release-unseen",
    /// The Lease is taken again while the work of the last term has not been joined.
    AcquireBeforeJoin = "acquire-before-join",
    /// Renewals go on although the work shows no sign of life.
    RenewsForTheDead = "renews-for-the-dead",
    /// A Lease that was deleted is brought back to life by an update without a uid.
    UpdateWithoutUid = "update-without-uid",
    /// The first failed renewal is taken for the loss of the Lease.
    FirstFailureIsLoss = "first-failure-is-loss",
    /// renewTime follows the wall clock backwards.
    RenewTimeFollowsClock = "renew-time-follows-clock",
    /// An acquisition leaves leaseTransitions as it was.
    TransitionsNotCounted = "transitions-not-counted",
    /// An older state of the Lease, delivered late, replaces a newer one.
    BelievesOldNews = "believes-old-news",
    /// Annotations that the API server refused are put on the next renewal again.
    RefusedAnnotationRides = "refused-annotation-rides",
    /// Only the last record seen is honoured, not the one that lasts longest.
    LastRecordOnly = "last-record-only",
    /// A release ends the wait for everyone, whom somebody wrote over included.
    ReleaseFreesAll = "release-frees-all",
    /// A release in an object that replaced another one ends the wait for holders of the earlier one who were never seen.
    ReplacedIsFree = "replaced-is-free",
    /// After history was rewound, what is older than what was known is still dropped.
    OldNewsAfterRewind = "old-news-after-rewind",
    /// A term goes on after history was rewound, with a token from the history that is gone.
    TermsSurviveRewind = "terms-survive-rewind",
    /// A write that is accepted with a version below what was known when it was sent is taken for a write like any other.
    WritesProveNoRewind = "writes-prove-no-rewind",
    /// The client of a term sends whatever it is given, valid or not.
    OpenGate = "open-gate",
    /// Answers to requests are waited for without a limit.
    NoRequestLimit = "no-request-limit",
}
