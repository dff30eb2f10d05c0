//! Which buckets the holder of a shard Lease may work on.

use lease_core::broken;

use super::{Acknowledged, Generation, ShardLeases};
use crate::routing::bucket::{Bucket, ShardId};

/// Whether the holder of `shard` may start the bucket. It knows generation `known`, by a consistent read that was sent after the acquisition or by something newer,
/// and its own Lease has acknowledged `acknowledged`.
///
/// - If it has acknowledged what it knows, it may start what that generation gives to its shard: if that is settled; or if the bucket was the shard's before, too; or
///   if the Lease that had the bucket before exists and has acknowledged the generation as well.
/// - If it has acknowledged the generation before, it may start what both give to its shard.
/// - Otherwise it may start nothing: it does not know what happened in between.
pub fn may_start(
    shard: ShardId,
    bucket: Bucket,
    acknowledged: Acknowledged,
    known: &Generation,
    leases: &ShardLeases,
) -> bool {
    if !may_continue(shard, bucket, acknowledged, known) {
        return false;
    }
    let behind = acknowledged != known.number;
    behind
        || known.settled
        || known.before(bucket).is_some_and(|before| before == shard || gave_away(before, known, leases))
}

/// Whether nobody works any more, under the Lease of the shard that had a bucket before, on what that shard has lost.
fn gave_away(before: ShardId, known: &Generation, leases: &ShardLeases) -> bool {
    broken!(GainedStartsAtOnce => true);
    broken!(AbsentHasGivenAway => leases.get(&before).is_none_or(|by| *by >= known.number));
    leases.get(&before).is_some_and(|by| *by >= known.number)
}

/// Whether the holder may continue to work on a bucket that it has started. What it has to wait for before the start does not matter any more.
pub fn may_continue(shard: ShardId, bucket: Bucket, acknowledged: Acknowledged, known: &Generation) -> bool {
    let given = known.gives(bucket, shard);
    broken!(WorksOnWhatItLost => given || known.before(bucket) == Some(shard));
    broken!(KeptAcrossGenerations => given && (acknowledged == known.number || known.before(bucket) == Some(shard)));
    let kept = known.before(bucket) == Some(shard);
    given && (acknowledged == known.number || acknowledged.checked_add(1) == Some(known.number) && kept)
}

/// Whether a bucket may be started although this process may still be working on it under another hold. It may not: the other
/// hold may have been lost, and its last reconcile not have been joined yet.
pub fn may_start_beside(runs_under_another_hold: bool) -> bool {
    broken!(StartsBesideAnEarlierHold => true);
    !runs_under_another_hold
}

/// Whether the write by which a Lease was acquired was sent when [`may_start`] already permitted the bucket, so that its version is the fencing token. If not, the Lease is renewed
/// once more, and the version of that write is the token: it is larger than each token under which the bucket was worked on before.
///
/// That write acknowledged `acquired_with`, and its sender knew whether that generation was settled.
pub fn acquisition_is_token(
    shard: ShardId,
    bucket: Bucket,
    known: &Generation,
    acquired_with: Acknowledged,
    settled_when_sent: bool,
) -> bool {
    broken!(TokenOfAcquisition => true);
    let kept = known.before(bucket) == Some(shard);
    if acquired_with == known.number {
        kept || settled_when_sent
    } else {
        acquired_with.checked_add(1) == Some(known.number) && kept && settled_when_sent
    }
}
