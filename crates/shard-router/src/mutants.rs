//! Deliberate faults. Each breaks one rule, so that the tests can prove that they would see it.
//!
//! Only with the feature `mutants`: without it, neither this module nor any broken branch is in the program.

mod clean_ups;

pub(crate) use clean_ups::clean_ups;
pub use clean_ups::cleaned_up;

lease_core::declare_mutants! {
    "SHARD_ROUTER_MUTANT";
    /// A shard is released without draining: running reconciles go on, and nothing cuts their validity.
    SkipDrain = "skip-drain",
    /// Reconciles start before the cache has reached a list taken after the acquisition, from a list that may be old.
    NoBarrier = "no-barrier",
    /// With a key label, a bucket is not recorded in status: an object belongs to the bucket of its key as it reads now.
    KeyNeedsNoRecord = "key-needs-no-record",
    /// Without a key label, an object belongs to the bucket of its name, also where another bucket is recorded in its status.
    NameOverridesRecord = "name-overrides-record",
    /// A label is restored from the key as it reads now, and not from the bucket recorded in status.
    StampFromKeyAgain = "stamp-from-key-again",
    /// An object is reconciled by whoever its label names, whatever its bucket is.
    LabelDecides = "label-decides",
    /// An object that leaves a shard's watch is taken for deleted, and its children are deleted, by a client without a gate.
    DeletedIsCleanUp = "deleted-is-clean-up",
    /// A replica works although the committed layout differs from its settings.
    IgnoreLayout = "ignore-layout",
    /// A reconciler's panic is not caught.
    LetPanicsThrough = "let-panics-through",
    /// A deleted resource's name is freed before its owner's last reconcile has ended.
    NoOwnerFinalizer = "no-owner-finalizer",
    /// A new shard Lease is created released unless one of the same name existed, whatever other shards were held.
    NewLeaseGoesByItsName = "new-lease-goes-by-its-name",
    /// The layout on the coordinator Lease counts whoever holds the Lease, even an operator that does not shard.
    LayoutOfPredecessorStands = "layout-of-predecessor-stands",
    /// A deleted resource's name is freed although a write was given up on that may still land.
    NameFreedBesideUnanswered = "name-freed-beside-unanswered",
    /// A shard that was won is worked on without another look at the committed layout.
    LayoutNotConfirmed = "layout-not-confirmed",
    /// A list with one object that does not decode is refused as a whole.
    OneBadObjectStopsTheList = "one-bad-object-stops-the-list",
    /// The plan goes on giving shards to a replica that has announced that it is unable to work.
    UnableKeepsShards = "unable-keeps-shards",
    /// Reconciles start before each owned type has been listed: a child that is not in the cache counts as absent.
    UnlistedIsAbsent = "unlisted-is-absent",
    /// A reconcile starts before the watches have shown what the last one of the same resource wrote.
    OwnWritesNotAwaited = "own-writes-not-awaited",
}
