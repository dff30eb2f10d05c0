//! The rules of routing on which the promise depends, each a pure function with its deliberate fault beside it.
//!
//! The rules of Leases are in `lease_core`. A fault exists only with the feature `mutants`, and is off until a test switches it on. Without
//! the feature, `broken!` expands to nothing. Faults that are more than a wrong result, such as a missing drain,
//! are in modules named `faults`.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lease_core::{Monotonic, broken};

use crate::routing::{
    bucket::{Bucket, ShardId},
    layout::Layout,
};

// Which bucket an object belongs to.

/// The bucket that an object keeps for its life, if it is known. A recorded bucket counts, whatever the settings are now. Without a record it is that of
/// the key, unless the key may change: a name cannot be edited, but the value of a key label can.
pub(crate) fn fixed_bucket(recorded: Option<Bucket>, of_key: Bucket, key_may_change: bool) -> Option<Bucket> {
    broken!(KeyNeedsNoRecord => Some(recorded.unwrap_or(of_key)));
    broken!(NameOverridesRecord => if key_may_change { recorded } else { Some(of_key) });
    recorded.or_else(|| (!key_may_change).then_some(of_key))
}

/// The bucket to stamp on an object: the fixed one, otherwise the one in which it has been reconciled so far. The current key counts only for a new
/// object.
pub(crate) fn bucket_to_stamp(fixed: Option<Bucket>, present: Option<Bucket>, of_key: Bucket) -> Bucket {
    broken!(StampFromKeyAgain => of_key);
    fixed.or(present).unwrap_or(of_key)
}

/// The bucket by which an object may be reconciled: its label, which anybody may edit, has to agree with the one that is fixed.
pub(crate) fn agreed_bucket(labelled: Option<Bucket>, fixed: Option<Bucket>) -> Option<Bucket> {
    broken!(LabelDecides => labelled);
    labelled.filter(|_| labelled == fixed)
}

/// Whether a deleted object's name has to stay taken until its owner frees it. Without that, a new object of this name in another bucket could be reconciled beside
/// the object.
pub(crate) fn name_must_stay_taken(namesake_may_move: bool) -> bool {
    broken!(NoOwnerFinalizer => false);
    namesake_may_move
}

/// Until when a deleted object's name has to stay taken, if a write of its shard was given up at `given_up`: it may be applied until then.
/// `in_transit` is the longest time that a write may be in the network, LeaseDuration − RenewDeadline.
pub(crate) fn name_taken_until(given_up: Option<Monotonic>, in_transit: Duration) -> Option<Monotonic> {
    broken!(NameFreedBesideUnanswered => None);
    given_up.map(|given_up| given_up + in_transit)
}

// When a reconcile may begin.

/// Whether the children of a resource are known: each owned type has been listed in its namespace since the acquisition. Before that, a child that is
/// not in the cache is unknown, not absent.
pub(crate) fn children_are_known(listed: bool) -> bool {
    broken!(NoBarrier => true);
    broken!(UnlistedIsAbsent => true);
    listed
}

/// Whether the objects that a resource depends on are known: the cache, which is older than the acquisition, contains a read that was sent after it.
pub(crate) fn watched_is_current(read_after_acquisition: bool) -> bool {
    broken!(WatchedNotAwaited => true);
    read_after_acquisition
}

/// Whether a reconcile may use the caches: the watches have shown what the last reconcile of the same resource wrote.
pub(crate) fn caches_are_current(own_writes_shown: bool) -> bool {
    broken!(OwnWritesNotAwaited => true);
    own_writes_shown
}

// Who may work.

/// Whether a replica may work under the committed layout; if not, the reason.
pub(crate) fn may_work_by(committed: &Layout, configured: &Layout) -> Result<(), String> {
    broken!(IgnoreLayout => Ok(()));
    committed.mismatch(configured).map_or(Ok(()), Err)
}

/// Whether resources may be stamped by a layout: no holder works by one of which it knows nothing. Under another key label, the name of a resource that is deleted may still be worked on,
/// in another bucket than a new resource of this name gets.
pub(crate) fn may_stamp(known_to_all: bool) -> bool {
    broken!(StampsBesideFormerHolders => true);
    known_to_all
}

/// Whether the layout on the coordinator Lease is void, because the holder of the Lease does not shard.
pub(crate) fn layout_is_void(holder_shards: bool) -> bool {
    broken!(LayoutOfPredecessorStands => false);
    !holder_shards
}

/// Whether work on a newly acquired shard waits until a read has confirmed the layout: this replica may have contended because of an old view.
pub(crate) fn layout_is_confirmed_first() -> bool {
    broken!(LayoutNotConfirmed => false);
    true
}

/// Whether a member is eligible for shards. A member that is unable to work is eligible only if no member is able.
pub(crate) fn is_eligible(draining: bool, unable: bool, anybody_is_able: bool) -> bool {
    broken!(UnableKeepsShards => !draining);
    !(draining || unable && anybody_is_able)
}

/// Whether no replica can hold any bucket of this shard, under this layout or another, so that its Lease may be created in the released state.
///
/// `earlier` are the shards that may have had a holder before this term, under any layout; `created` are those that were created in this term, which have no bucket
/// in common with this shard.
pub(crate) fn nobody_holds_any_of(
    shard: ShardId,
    earlier: &BTreeSet<ShardId>,
    created: &BTreeSet<ShardId>,
) -> bool {
    earlier.is_empty() && !created.contains(&shard)
}

/// Whether no replica can hold a shard under another layout, so that the holder of the coordinator Lease may work on the kinds that are not sharded: they
/// may have been sharded there. That is so once the Lease of each shard of this layout has had a holder or was created released, because a Lease that was created
/// beside a former layout has a placeholder as its holder first.
pub(crate) fn no_former_layout_is_in_force(all_leases_are_taken_up: bool) -> bool {
    broken!(UnshardedAtOnce => true);
    all_leases_are_taken_up
}

// Which shards move, and what is due.

/// Whether a replica hands over a shard that it holds and that the plan gives to another member.
pub(crate) fn hands_over(planned_for_another: bool) -> bool {
    broken!(NeverHandsOver => false);
    planned_for_another
}

/// Whether a resource has to be reconciled because of an event of its watch. A list of a newly acquired shard counts as much as a change: nobody knows what the
/// former holder left undone.
pub(crate) fn is_due(is_news: bool, is_change: bool) -> bool {
    broken!(ForgetsAfterTakeover => is_news && is_change);
    is_news
}

// What a write of a child depends on.

/// The revision of an empty etcd. The first write has a larger one, so no object ever has it. (`0` means "any".)
const VERSION_OF_NOTHING: &str = "1";

/// The uid and resourceVersion that a write names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

/// What a write of a child that was seen depends on: the object is still the same, and has not changed since.
pub(crate) fn unchanged_since(seen: &ObjectMeta) -> Precondition {
    broken!(ChildWithoutPrecondition => Precondition::default());
    Precondition { uid: seen.uid.clone(), resource_version: seen.resource_version.clone() }
}

/// What a write of a child that was not seen depends on: there is still no such object.
pub(crate) fn still_absent() -> Precondition {
    broken!(CreateOverwrites => Precondition::default());
    Precondition { uid: None, resource_version: Some(VERSION_OF_NOTHING.to_owned()) }
}

/// How long a child that differs has to wait until it is written again, if nothing new is asked for: for the rest of the pause after the
/// last such write.
pub(crate) fn wait_before_restoring(rest_of_pause: Option<Duration>) -> Option<Duration> {
    broken!(MendsAtOnce => None);
    rest_of_pause
}
