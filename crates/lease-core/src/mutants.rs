//! Deliberate faults. Each breaks one rule of the protocol, so that the tests can prove that they would see it.
//!
//! Without the feature `mutants` (that is: everywhere but in tests) no mutant exists at run time: [`active`] is
//! `false` and the compiler drops the broken branch.

/// One rule, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A standby compares the remote renewTime with its own wall clock.
    ExpiryByWallClock = 1,
    /// A standby applies its own LeaseDuration to another's record.
    ExpiryByOwnDuration,
    /// A standby takes a record that it saw for the first time for as old as its renewal, that is: expired at once.
    TakeoverAtFirstSight,
    /// Takeover without uid and resourceVersion, as a merge patch would do it.
    TakeoverWithoutVersion,
    /// Validity counts from the answer, not from the sending.
    ValidityFromAnswer,
    /// Validity ends at LeaseDuration instead of RenewDeadline.
    ValidityIsLeaseDuration,
    /// The leader does not count the time that its machine was suspended.
    LeaderIgnoresSuspend,
    /// A refused renewal is taken for a success.
    ConflictIsSuccess,
    /// A write whose answer was lost is taken for a success.
    LostAnswerIsSuccess,
    /// A write whose answer was lost is sent again without a fresh read, and the conflict that comes back is taken for the
    /// trace of the first one.
    RetryWithoutRead,
    /// A leader that sees another holder goes on until RenewDeadline.
    LeadsOnBesideAnother,
    /// A vanished Lease is free at once.
    VanishedIsFree,
    /// A holder blanked by hand is a release.
    BlankIsRelease,
    /// The release is sent while the work still runs.
    ReleaseBeforeDrain,
    /// The release is sent although a write of the work went unanswered, and may still land.
    ReleaseBesideUnanswered,
    /// The release is sent without reading whose Lease it is, and without a resourceVersion.
    ReleaseUnseen,
    /// The Lease is taken again while the work of the last term has not been joined.
    AcquireBeforeJoin,
    /// Renewals go on although the work shows no sign of life.
    RenewsForTheDead,
    /// A Lease that was deleted is brought back to life by an update without a uid.
    UpdateWithoutUid,
    /// The first failed renewal is taken for the loss of the Lease.
    FirstFailureIsLoss,
    /// renewTime follows the wall clock backwards.
    RenewTimeFollowsClock,
    /// An acquisition leaves leaseTransitions as it was.
    TransitionsNotCounted,
    /// An older state of the Lease, delivered late, replaces a newer one.
    BelievesOldNews,
    /// Annotations that the API server refused are put on the next renewal again.
    RefusedAnnotationRides,
    /// Only the last record seen is honoured, not the one that lasts longest.
    LastRecordOnly,
    /// A release ends the wait for everyone, whom somebody wrote over included.
    ReleaseFreesAll,
    /// After history was rewound, what is older than what was known is still dropped.
    OldNewsAfterRewind,
    /// A term goes on after history was rewound, with a token from the history that is gone.
    TermsSurviveRewind,
    /// A write that is accepted with a version below what was known when it was sent is taken for a write like any other.
    WritesProveNoRewind,
    /// The client of a term sends whatever it is given, valid or not.
    OpenGate,
    /// Answers to requests are waited for without a limit.
    NoRequestLimit,
}

impl Mutant {
    /// Every mutant there is, with its name in `LEASE_CORE_MUTANT`.
    pub const ALL: [(Self, &'static str); 31] = [
        (Self::ExpiryByWallClock, "expiry-by-wall-clock"),
        (Self::ExpiryByOwnDuration, "expiry-by-own-duration"),
        (Self::TakeoverAtFirstSight, "takeover-at-first-sight"),
        (Self::TakeoverWithoutVersion, "takeover-without-version"),
        (Self::ValidityFromAnswer, "validity-from-answer"),
        (Self::ValidityIsLeaseDuration, "validity-is-lease-duration"),
        (Self::LeaderIgnoresSuspend, "leader-ignores-suspend"),
        (Self::ConflictIsSuccess, "conflict-is-success"),
        (Self::LostAnswerIsSuccess, "lost-answer-is-success"),
        (Self::RetryWithoutRead, "retry-without-read"),
        (Self::LeadsOnBesideAnother, "leads-on-beside-another"),
        (Self::VanishedIsFree, "vanished-is-free"),
        (Self::BlankIsRelease, "blank-is-release"),
        (Self::ReleaseBeforeDrain, "release-before-drain"),
        (Self::ReleaseBesideUnanswered, "release-beside-unanswered"),
        (Self::ReleaseUnseen, "release-unseen"),
        (Self::AcquireBeforeJoin, "acquire-before-join"),
        (Self::RenewsForTheDead, "renews-for-the-dead"),
        (Self::UpdateWithoutUid, "update-without-uid"),
        (Self::FirstFailureIsLoss, "first-failure-is-loss"),
        (Self::RenewTimeFollowsClock, "renew-time-follows-clock"),
        (Self::TransitionsNotCounted, "transitions-not-counted"),
        (Self::BelievesOldNews, "believes-old-news"),
        (Self::RefusedAnnotationRides, "refused-annotation-rides"),
        (Self::LastRecordOnly, "last-record-only"),
        (Self::ReleaseFreesAll, "release-frees-all"),
        (Self::OldNewsAfterRewind, "old-news-after-rewind"),
        (Self::TermsSurviveRewind, "terms-survive-rewind"),
        (Self::WritesProveNoRewind, "writes-prove-no-rewind"),
        (Self::OpenGate, "open-gate"),
        (Self::NoRequestLimit, "no-request-limit"),
    ];
}

/// Whether any fault is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn any() -> bool {
    false
}

/// Whether this fault is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn active(_: Mutant) -> bool {
    false
}

#[cfg(all(feature = "kube", feature = "mutants"))]
pub use pause::PausedWrite;
#[cfg(all(feature = "kube", feature = "mutants"))]
pub(crate) use pause::pause;
#[cfg(feature = "mutants")]
pub use switch::{activate, active, any};

/// The pause point between the gate's last check and the sending, for writes. Does nothing without the feature `mutants`;
/// see [`PausedWrite`] and `LEASE_CORE_PAUSE_BEFORE_SEND`.
#[cfg(all(feature = "kube", not(feature = "mutants")))]
#[inline]
pub(crate) fn pause() {}

#[cfg(all(feature = "kube", feature = "mutants"))]
mod pause;

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mutant;

    static ACTIVE: AtomicU8 = AtomicU8::new(0);
    static FROM_ENVIRONMENT: OnceLock<Option<Mutant>> = OnceLock::new();

    /// Switches one fault on, or all off, for the whole process.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::SeqCst);
    }

    /// Whether this fault is switched on, by [`activate`] or by `LEASE_CORE_MUTANT=<name>`.
    pub fn active(mutant: Mutant) -> bool {
        ACTIVE.load(Ordering::Relaxed) == mutant as u8
            || *FROM_ENVIRONMENT.get_or_init(from_environment) == Some(mutant)
    }

    /// Whether any fault is switched on.
    pub fn any() -> bool {
        ACTIVE.load(Ordering::Relaxed) != 0 || FROM_ENVIRONMENT.get_or_init(from_environment).is_some()
    }

    fn from_environment() -> Option<Mutant> {
        let name = std::env::var("LEASE_CORE_MUTANT").ok()?;
        let mutant = Mutant::ALL.into_iter().find(|(_, known)| *known == name);
        assert!(
            mutant.is_some(),
            "LEASE_CORE_MUTANT={name} names no mutant; there are {:?}",
            Mutant::ALL.map(|(_, name)| name)
        );
        mutant.map(|(mutant, _)| mutant)
    }
}
