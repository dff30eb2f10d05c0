//! When the holder of a shard Lease acknowledges a generation.

use std::time::Duration;

use lease_core::{Monotonic, broken};

use super::{Acknowledged, Generation};

/// What the holder writes on its Lease now, if anything. It knows `known`, and its Lease has acknowledged `acknowledged`.
///
/// `lost_buckets_run`: whether a reconcile of a bucket that it may not [continue](super::buckets::may_continue) still runs, or a write of one may still be applied. The buckets
/// that it keeps run on meanwhile.
pub fn due(acknowledged: Acknowledged, known: &Generation, lost_buckets_run: bool) -> Option<Acknowledged> {
    let behind = acknowledged < known.number;
    broken!(AcknowledgesBeforeTheDrain => behind.then_some(known.number));
    (behind && !lost_buckets_run).then_some(known.number)
}

/// What a release writes: it leaves what the Lease has acknowledged as it is. Its holder may know a newer generation by then, and have reconciles under the older one that
/// its drain has given up.
pub fn by_release(acknowledged: Acknowledged, known: &Generation) -> Acknowledged {
    broken!(ReleaseAcknowledges => known.number.max(acknowledged));
    acknowledged
}

/// When no write of buckets whose reconciles have ended at `now` can be applied any more. The shard has last given up a write at `given_up`, which may be in the network for
/// `in_transit` (LeaseDuration − RenewDeadline).
pub fn landed_at(given_up: Option<Monotonic>, in_transit: Duration, now: Monotonic) -> Monotonic {
    broken!(AcknowledgesBesideUnanswered => now);
    given_up.map_or(now, |given_up| now.max(given_up + in_transit))
}
