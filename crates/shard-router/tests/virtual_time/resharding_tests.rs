//! The number of shards changes while replicas work: each scenario is judged by the overlap checker, no resource is written, and waits are bounded.

use std::time::Duration;

use lease_core::Timings;

use crate::{
    fleet::{Fleet, count},
    harness::ID,
    resharding,
};

/// From the end of one reconcile to the begin of the next of the same widget, where nothing fails: the requeue, the drain of what runs before the shard that gains the
/// bucket may start, and some requests.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// The same where a holder is lost, or a Lease has to expire.
fn disturbed() -> Duration {
    Timings::standard().takeover_bound() + UNDISTURBED
}

#[tokio::test(start_paused = true)]
async fn shards_become_more_and_fewer() {
    for (from, to) in [(4, 8), (8, 3), (1, 16), (16, 1)] {
        println!("{from} -> {to}");
        resharding::changes(from, to).await.check(UNDISTURBED);
    }
}

/// Each reconcile takes 4 s, and a widget that moves waits for the last one of those that leave its shard with it, once or twice.
#[tokio::test(start_paused = true)]
async fn a_count_that_changes_again_in_the_middle_is_reached_in_the_end() {
    for (from, to, then) in [(4, 8, 6), (8, 3, 8), (4, 8, 3)] {
        println!("{from} -> {to} -> {then}");
        resharding::changes_again(from, to, then).await.check(2 * Duration::from_secs(4) + UNDISTURBED);
    }
}

/// The second change waits until the last bucket of the first one has been given away, which the shards of the second layout know nothing of.
#[tokio::test(start_paused = true)]
async fn a_change_waits_for_the_slowest_shard_of_the_last_one() {
    let bound = Duration::from_secs(8) + UNDISTURBED;
    resharding::changes_again_before_one_has_stopped(4, 8, 3).await.check(bound);
}

/// Its shards wait for LeaseDuration as after any death, and so do the buckets that others gain from it.
#[tokio::test(start_paused = true)]
async fn a_holder_dies_in_the_middle() {
    for (from, to) in [(4, 8), (8, 3)] {
        resharding::holder_dies(from, to).await.check(disturbed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_coordinator_dies_in_the_middle() {
    for (from, to) in [(4, 8), (8, 3)] {
        resharding::coordinator_dies(from, to).await.check(disturbed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_is_cut_off_across_the_change() {
    for (from, to) in [(4, 8), (8, 3)] {
        resharding::holder_is_cut_off(from, to, false).await.check(disturbed());
    }
}

/// Its Lease comes back for a placeholder, which has to expire, and has acknowledged nothing.
#[tokio::test(start_paused = true)]
async fn the_lease_of_a_holder_that_is_cut_off_is_deleted_by_hand() {
    for (from, to) in [(4, 8), (8, 3)] {
        resharding::holder_is_cut_off(from, to, true).await.check(disturbed());
    }
}

/// That of a shard of both layouts, of one that is new, and of one that is left over.
#[tokio::test(start_paused = true)]
async fn a_shard_lease_is_deleted_by_hand_in_the_middle() {
    for (from, to, shard) in [(4, 8, 1), (4, 8, 6), (8, 3, 5)] {
        let bound = disturbed() + Timings::standard().retry_period();
        resharding::lease_is_deleted(from, to, shard).await.check(bound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_never_saw_a_deleted_lease_waits_for_its_holder() {
    resharding::lease_is_deleted_before_a_start().await.check(disturbed());
}

/// Nobody knows the layout any more: nothing starts before all have acknowledged a new one, also for the holder that is cut off.
#[tokio::test(start_paused = true)]
async fn the_coordinator_lease_is_deleted_by_hand() {
    for (from, to) in [(4, 8), (8, 3), (4, 4)] {
        let bound = disturbed() + Timings::standard().lease_duration();
        resharding::coordinator_lease_is_deleted(from, to).await.check(bound);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_acknowledges_for_a_shard_that_is_left_over() {
    assert!(resharding::settles_without_the_holder_of_a_surplus_shard().await);
}

/// It comes back for a placeholder, and somebody acknowledges for it.
#[tokio::test(start_paused = true)]
async fn the_lease_of_a_shard_that_is_left_over_is_deleted_by_hand() {
    assert!(resharding::settles_after_a_surplus_lease_is_deleted().await);
}

/// All of them follow what is committed, and the coordinator commits what it is set to.
#[tokio::test(start_paused = true)]
async fn replicas_that_want_different_counts_work_by_one_layout() {
    let mut fleet = Fleet::start(&["op-0"], 4).await;
    let options = fleet.harness.options("op-1", 8);
    fleet.add_with("op-1", options);
    fleet.harness.clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(fleet.layout().await.expect("a layout").shards, count(4));
    assert_eq!(fleet.holder(ID).await, Some("op-0"));
    fleet.settled(4).await;
    fleet.finish().await.check(UNDISTURBED);
}

/// What it costs: one write commits the layout and one records that it is settled, each shard Lease is acknowledged once, and one write gives a holder the token of what it
/// gains.
#[tokio::test(start_paused = true)]
async fn a_change_writes_each_shard_lease_a_few_times_and_no_resource() {
    let fleet = Fleet::start(&["op-0", "op-1", "op-2"], 4).await;
    fleet.want(8);
    fleet.settled(8).await;
    let layout = fleet.layout().await.expect("a layout");
    assert_eq!((layout.generation, layout.previous), (2, Some(count(4))));
    for lease in fleet.shard_leases().await {
        let annotations = lease.metadata.annotations.unwrap_or_default();
        let recorded = annotations.get("test.shard-router.dev/layout").expect("it has acknowledged");
        assert!(recorded.contains(r#""generation":2"#), "{recorded}");
    }
    fleet.finish().await.check(UNDISTURBED);
}
