//! Deliberate faults. Each breaks one rule, so that the tests can prove that they would see it.
//!
//! Without the feature `mutants` (that is: everywhere but in tests) no mutant exists at run time: [`active`] is
//! `false` and the compiler drops the broken branch.

/// One rule, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A shard is released without draining: running reconciles go on, and nothing cuts their validity.
    SkipDrain = 1,
    /// Reconciles start before the cache has reached a list taken after the acquisition, from a list that may be old.
    NoBarrier,
    /// A label is restored from the key as it reads now, and not from the bucket recorded in status.
    StampFromKeyAgain,
    /// An object is reconciled by whoever its label names, whatever bucket is recorded in its status.
    LabelDecides,
    /// An object that leaves a shard's watch is taken for deleted, and its children are deleted, by a client without a gate.
    DeletedIsCleanUp,
    /// A replica works although the committed layout differs from its settings.
    IgnoreLayout,
    /// A reconciler's panic is not caught.
    LetPanicsThrough,
    /// A deleted resource's name is freed before its owner's last reconcile has ended.
    NoOwnerFinalizer,
    /// A new shard Lease is born released unless one of the same name existed, whatever other shards were held.
    NewLeaseGoesByItsName,
    /// The layout on the coordinator Lease stands whoever holds it, also an operator that does not shard.
    LayoutOfPredecessorStands,
    /// A deleted resource's name is freed although a write was given up on that may still land.
    NameFreedBesideUnanswered,
    /// A shard that was won is worked on without another look at the committed layout.
    LayoutNotConfirmed,
    /// A list with one object that does not decode is refused as a whole.
    OneBadObjectStopsTheList,
    /// The plan goes on giving shards to a replica that says that it is unable to work.
    UnableKeepsShards,
}

impl Mutant {
    /// Every mutant there is, with its name in `SHARD_ROUTER_MUTANT`.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::SkipDrain, "skip-drain"),
        (Self::NoBarrier, "no-barrier"),
        (Self::StampFromKeyAgain, "stamp-from-key-again"),
        (Self::LabelDecides, "label-decides"),
        (Self::DeletedIsCleanUp, "deleted-is-clean-up"),
        (Self::IgnoreLayout, "ignore-layout"),
        (Self::LetPanicsThrough, "let-panics-through"),
        (Self::NoOwnerFinalizer, "no-owner-finalizer"),
        (Self::NewLeaseGoesByItsName, "new-lease-goes-by-its-name"),
        (Self::LayoutOfPredecessorStands, "layout-of-predecessor-stands"),
        (Self::NameFreedBesideUnanswered, "name-freed-beside-unanswered"),
        (Self::LayoutNotConfirmed, "layout-not-confirmed"),
        (Self::OneBadObjectStopsTheList, "one-bad-object-stops-the-list"),
        (Self::UnableKeepsShards, "unable-keeps-shards"),
    ];
}

/// Whether this fault is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn active(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use switch::{activate, active};

/// Returns when [`Mutant::DeletedIsCleanUp`] has deleted what it deletes. Without the feature `mutants` that is at once.
#[cfg(not(feature = "mutants"))]
pub fn cleaned_up() -> std::future::Ready<()> {
    std::future::ready(())
}

#[cfg(feature = "mutants")]
pub(crate) use switch::clean_ups;
#[cfg(feature = "mutants")]
pub use switch::cleaned_up;

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU8, Ordering},
    };

    use tokio_util::task::TaskTracker;

    use super::Mutant;

    static ACTIVE: AtomicU8 = AtomicU8::new(0);
    static FROM_ENVIRONMENT: OnceLock<Option<Mutant>> = OnceLock::new();

    /// The clean-ups of [`Mutant::DeletedIsCleanUp`].
    pub(crate) fn clean_ups() -> &'static TaskTracker {
        static RUNNING: OnceLock<TaskTracker> = OnceLock::new();
        RUNNING.get_or_init(|| {
            let tracker = TaskTracker::new();
            // So that it can be waited for; tasks are taken all the same.
            tracker.close();
            tracker
        })
    }

    /// See the stand-in of the same name.
    pub async fn cleaned_up() {
        clean_ups().wait().await;
    }

    /// Switches one fault on, or all off, for the whole process.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::SeqCst);
    }

    /// Whether this fault is switched on, by [`activate`] or by `SHARD_ROUTER_MUTANT=<name>`.
    pub fn active(mutant: Mutant) -> bool {
        ACTIVE.load(Ordering::Relaxed) == mutant as u8
            || *FROM_ENVIRONMENT.get_or_init(from_environment) == Some(mutant)
    }

    fn from_environment() -> Option<Mutant> {
        let name = std::env::var("SHARD_ROUTER_MUTANT").ok()?;
        let mutant = Mutant::ALL.into_iter().find(|(_, known)| *known == name);
        assert!(
            mutant.is_some(),
            "SHARD_ROUTER_MUTANT={name} names no mutant; there are {:?}",
            Mutant::ALL.map(|(_, name)| name)
        );
        mutant.map(|(mutant, _)| mutant)
    }
}
