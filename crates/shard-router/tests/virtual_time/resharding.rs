//! The number of shards changes while replicas work: what may come in between.

use std::time::Duration;

use shard_router::ShardId;

use crate::{
    fleet::{Fleet, Outcome},
    harness::ID,
};

const THREE: [&str; 3] = ["op-0", "op-1", "op-2"];

/// They hold a change up, so that the next one comes in the middle of them.
fn slow(_: ShardId) -> Duration {
    Duration::from_secs(4)
}

/// Those of one shard hold it up, after the others have acknowledged it.
fn slow_in_shard_3(shard: ShardId) -> Duration {
    if shard == ShardId(3) { Duration::from_secs(8) } else { Duration::from_millis(300) }
}

/// The number of shards changes, and nothing fails.
pub(crate) async fn changes(from: u16, to: u16) -> Outcome {
    let fleet = Fleet::start(&THREE, from).await;
    fleet.want(to);
    fleet.settled(to).await;
    fleet.finish().await
}

/// It changes again in the middle of a change, while reconciles take long.
pub(crate) async fn changes_again(from: u16, to: u16, then: u16) -> Outcome {
    changes_again_during(slow, (from, to, then)).await
}

/// The same while one shard of the first layout takes longer than all others to stop.
pub(crate) async fn changes_again_before_one_has_stopped(from: u16, to: u16, then: u16) -> Outcome {
    changes_again_during(slow_in_shard_3, (from, to, then)).await
}

async fn changes_again_during(takes: fn(ShardId) -> Duration, (from, to, then): (u16, u16, u16)) -> Outcome {
    let fleet = Fleet::reconciling(&THREE, from, takes).await;
    fleet.want(to);
    fleet.committed(2).await;
    fleet.want(then);
    fleet.settled(then).await;
    fleet.finish().await
}

/// A holder is killed in the middle.
pub(crate) async fn holder_dies(from: u16, to: u16) -> Outcome {
    let mut fleet = Fleet::start(&THREE, from).await;
    let (_, dies) = fleet.shard_of_another(0, from).await;
    fleet.want(to);
    fleet.committed(2).await;
    fleet.kill(dies);
    fleet.settled(to).await;
    fleet.finish().await
}

pub(crate) async fn coordinator_dies(from: u16, to: u16) -> Outcome {
    let mut fleet = Fleet::start(&THREE, from).await;
    fleet.want(to);
    fleet.committed(2).await;
    let coordinator = fleet.holder(ID).await.expect("a coordinator");
    fleet.kill(coordinator);
    fleet.settled(to).await;
    fleet.finish().await
}

/// The holder of a shard that loses buckets is cut off before the change is committed, and works by the former layout until its validity ends. It comes back later.
/// Meanwhile somebody may delete its Leases by hand, when all others have acknowledged the change.
pub(crate) async fn holder_is_cut_off(from: u16, to: u16, leases_are_deleted: bool) -> Outcome {
    let fleet = Fleet::start(&THREE, from).await;
    let (_, cut_off) = fleet.shard_of_another(if to < from { to } else { 0 }, from).await;
    if from < to {
        fleet.want(to);
        // New Leases have to expire before the change is committed.
        fleet.harness.clock.sleep(Duration::from_millis(14_500)).await;
    }
    fleet.replicas[cut_off].network.swallow(true);
    fleet.want(to);
    fleet.committed(2).await;
    if leases_are_deleted {
        fleet.harness.clock.sleep(Duration::from_secs(2)).await;
        for shard in 0..from {
            let lease = format!("{ID}-shard-{shard}");
            if fleet.holder(&lease).await == Some(cut_off) {
                fleet.delete(&lease).await;
            }
        }
    }
    fleet.harness.clock.sleep(Duration::from_secs(40)).await;
    fleet.replicas[cut_off].network.cut();
    fleet.replicas[cut_off].network.swallow(false);
    fleet.settled(to).await;
    fleet.finish().await
}

/// Somebody deletes a shard Lease by hand.
pub(crate) async fn lease_is_deleted(from: u16, to: u16, shard: u16) -> Outcome {
    let fleet = Fleet::start(&THREE, from).await;
    fleet.want(to);
    fleet.committed(2).await;
    fleet.delete(&format!("{ID}-shard-{shard}")).await;
    fleet.settled(to).await;
    fleet.finish().await
}

/// Somebody deletes the Lease of a shard whose holder is cut off, and a replica starts that has never seen it.
pub(crate) async fn lease_is_deleted_before_a_start() -> Outcome {
    let mut fleet = Fleet::start(&THREE, 4).await;
    let (lease, cut_off) = fleet.shard_of_another(0, 4).await;
    fleet.replicas[cut_off].network.swallow(true);
    fleet.delete(&lease).await;
    fleet.add("op-3");
    fleet.harness.clock.sleep(Duration::from_secs(40)).await;
    fleet.finish().await
}

/// Somebody deletes the coordinator Lease by hand, and the next coordinator wants another number of shards, while a holder is cut off.
pub(crate) async fn coordinator_lease_is_deleted(from: u16, to: u16) -> Outcome {
    let fleet = Fleet::start(&THREE, from).await;
    let (_, cut_off) = fleet.shard_of_another(if to < from { to } else { 0 }, from).await;
    fleet.delete(ID).await;
    fleet.want(to);
    fleet.harness.clock.sleep(Duration::from_millis(14_500)).await;
    fleet.replicas[cut_off].network.swallow(true);
    fleet.harness.clock.sleep(Duration::from_secs(40)).await;
    fleet.replicas[cut_off].network.cut();
    fleet.replicas[cut_off].network.swallow(false);
    fleet.settled(to).await;
    fleet.finish().await
}

/// The holder of a shard that the next layout does not have is killed before the change. Whether that is settled within two minutes.
pub(crate) async fn settles_without_the_holder_of_a_surplus_shard() -> bool {
    let mut fleet = Fleet::start(&THREE, 8).await;
    let (_, dies) = fleet.shard_of_another(3, 8).await;
    fleet.kill(dies);
    fleet.want(3);
    fleet.committed(2).await;
    fleet.harness.clock.sleep(Duration::from_mins(2)).await;
    fleet.layout().await.expect("a layout").settled
}

/// Somebody deletes the Lease of a shard that the next layout does not have, right after the change is committed. Whether that is settled within two minutes.
pub(crate) async fn settles_after_a_surplus_lease_is_deleted() -> bool {
    let fleet = Fleet::start(&THREE, 8).await;
    fleet.want(3);
    fleet.committed(2).await;
    fleet.delete(&format!("{ID}-shard-5")).await;
    fleet.harness.clock.sleep(Duration::from_mins(2)).await;
    fleet.layout().await.expect("a layout").settled
}
