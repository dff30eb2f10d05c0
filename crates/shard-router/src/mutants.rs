//! Deliberate faults. Each breaks one rule, to prove that a test fails then.
//!
//! Only with the feature `mutants`: without it, neither this module nor any broken branch is in the program.

mod clean_ups;

pub(crate) use clean_ups::clean_ups;
pub use clean_ups::cleaned_up;

lease_core::declare_mutants! {
    "SHARD_ROUTER_MUTANT";
    /// A shard is released without draining: running reconciles continue, and their validity does not end.
    SkipDrain = "skip-drain",
    /// Reconciles start before the cache has reached a list taken after the acquisition, from a list that may be old.
    NoBarrier = "no-barrier",
    /// With a key label, a bucket is not recorded in status: an object belongs to the bucket of its current key.
    KeyNeedsNoRecord = "key-needs-no-record",
    /// Without a key label, an object belongs to the bucket of its name, even if another bucket is recorded in its status.
    NameOverridesRecord = "name-overrides-record",
    /// A label is restored from the current key, and not from the bucket recorded in status.
    StampFromKeyAgain = "stamp-from-key-again",
    /// An object is reconciled by the owner of the shard that its label names, whatever its bucket is.
    LabelDecides = "label-decides",
    /// An object that leaves a shard's watch is treated as deleted, and its children are deleted with a client that is not gated.
    DeletedIsCleanUp = "deleted-is-clean-up",
    /// A replica works although the committed layout differs from its settings.
    IgnoreLayout = "ignore-layout",
    /// A reconciler's panic is not caught.
    LetPanicsThrough = "let-panics-through",
    /// A deleted resource's name is freed before its owner's last reconcile has ended.
    NoOwnerFinalizer = "no-owner-finalizer",
    /// The layout on the coordinator Lease counts even if the holder is an operator that does not shard.
    LayoutOfPredecessorStands = "layout-of-predecessor-stands",
    /// A deleted resource's name is freed although a write was given up that may still be applied.
    NameFreedBesideUnanswered = "name-freed-beside-unanswered",
    /// A newly acquired shard is worked on without reading the committed layout again.
    LayoutNotConfirmed = "layout-not-confirmed",
    /// A list with an object that does not decode fails as a whole.
    OneBadObjectStopsTheList = "one-bad-object-stops-the-list",
    /// The plan gives shards to a replica that has announced that it is unable to work.
    UnableKeepsShards = "unable-keeps-shards",
    /// Reconciles start before each owned type has been listed: a child that is not in the cache counts as absent.
    UnlistedIsAbsent = "unlisted-is-absent",
    /// A reconcile starts before the watches have shown what the last one of the same resource wrote.
    OwnWritesNotAwaited = "own-writes-not-awaited",
    /// A child that was seen is applied without its uid and resourceVersion.
    ChildWithoutPrecondition = "child-without-precondition",
    /// A child that was not seen is applied to whatever is there by then.
    CreateOverwrites = "create-overwrites",
    /// A child that somebody keeps changing or deleting is restored each time at once.
    MendsAtOnce = "mends-at-once",
    /// Kinds that are not sharded are worked on with the coordinator Lease while shards of a former layout may still be held.
    UnshardedAtOnce = "unsharded-at-once",
    /// Reconciles start before the cache of a watched type has reached a read sent after the acquisition.
    WatchedNotAwaited = "watched-not-awaited",
    /// A new number of shards is committed although the last one is not settled, or although Leases of neither exist.
    CommitsBeforeSettled = "commits-before-settled",
    /// A shard Lease that is absent counts as one that has acknowledged when a layout is settled.
    AbsentCountsAsAcknowledged = "absent-counts-as-acknowledged",
    /// A layout is settled when the shards that it has have acknowledged it, without those that it no longer has.
    SettledByItsOwnShards = "settled-by-its-own-shards",
    /// A new shard Lease is created free, whatever Leases existed before.
    NewLeaseIsFree = "new-lease-is-free",
    /// The free Lease of a shard that the layout no longer has is not acquired, so nobody acknowledges for it.
    SurplusIsNotAcquired = "surplus-is-not-acquired",
    /// An acquisition replaces a newer acknowledgement by what the replica knows.
    AcquisitionForgets = "acquisition-forgets",
    /// The Lease of a shard that the layout no longer has is deleted before the layout is settled.
    DeletesBeforeSettled = "deletes-before-settled",
    /// A holder starts a bucket without waiting until the shard that had it before has given it away.
    GainedStartsAtOnce = "gained-starts-at-once",
    /// A shard Lease that is absent counts as one that has given its buckets away.
    AbsentHasGivenAway = "absent-has-given-away",
    /// A holder continues to work on the buckets that its shard has lost.
    WorksOnWhatItLost = "works-on-what-it-lost",
    /// A holder that has missed a generation continues to work on what its shard had before.
    KeptAcrossGenerations = "kept-across-generations",
    /// A bucket is started although a reconcile of it under another hold of this process still runs.
    StartsBesideAnEarlierHold = "starts-beside-an-earlier-hold",
    /// The fencing token of a gained bucket is that of the acquisition, which may be older than the last one under which the bucket was worked on.
    TokenOfAcquisition = "token-of-acquisition",
    /// A holder acknowledges a layout while it still works on buckets that it has lost.
    AcknowledgesBeforeTheDrain = "acknowledges-before-the-drain",
    /// A holder acknowledges a layout although a write of the buckets that it has lost was given up and may still be applied.
    AcknowledgesBesideUnanswered = "acknowledges-beside-unanswered",
    /// A release acknowledges what its holder knows.
    ReleaseAcknowledges = "release-acknowledges",
    /// Resources are stamped by a new key label while holders may still work by the former one.
    StampsBesideFormerHolders = "stamps-beside-former-holders",
    /// A plan does not start from the last one: each shard goes to the member with the best score that has room.
    PlansFromScratch = "plans-from-scratch",
    /// A replica keeps shards that the plan gives to another member.
    NeverHandsOver = "never-hands-over",
    /// The resources that are there when a shard is acquired are not reconciled until they change.
    ForgetsAfterTakeover = "forgets-after-takeover",
    /// A layout that is recorded because the coordinator Lease was missing counts as settled.
    RecoveredIsSettled = "recovered-is-settled",
    /// Where the coordinator Lease was missing, each shard keeps its buckets.
    RecoveredKeeps = "recovered-keeps",
    /// A bucket is worked on before its row of the ownership table is written.
    RowNotAwaited = "row-not-awaited",
    /// A bucket is worked on although its row names another Pod with a larger token.
    LaterOwnerIsIgnored = "later-owner-is-ignored",
    /// A replica goes on to write the rows of a hold that has ended, or of buckets that it has given away.
    RowsOutliveTheHold = "rows-outlive-the-hold",
    /// A replica that is not the coordinator stamps resources, although the row for stamping names the coordinator.
    OthersStampBesideTheRow = "others-stamp-beside-the-row",
}
