//! What replicas that write the ownership table do.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;
use shard_router::{
    Bucket, CannotFence, RunError,
    fencing::{Fencing, RowKey},
};

use crate::{
    fenced::{self, Fenced},
    harness::{Harness, ID},
};

#[tokio::test(start_paused = true)]
async fn no_bucket_is_worked_on_before_its_row_is_written() {
    assert_eq!(fenced::work_without_a_row().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_has_given_a_shard_away_does_not_write_its_rows_again() {
    assert_eq!(fenced::rows_of_former_holders().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_row_with_a_token_that_is_too_large_keeps_its_bucket_from_being_worked_on_until_the_table_is_deleted()
 {
    let (works, says) = fenced::later_owner().await;
    assert_eq!(works, [""; 0]);
    let says = says.expect("it is not ready");
    assert!(says.contains("names Pod nobody with token 1152921504606846976"), "{says}");
    assert!(says.contains("kubectl delete ownershiptables.shard-router.dev -n default"), "{says}");
}

/// By the rows of stamping and coordination as well.
#[tokio::test(start_paused = true)]
async fn rows_that_somebody_removes_or_replaces_are_written_again() {
    let fenced = Fenced::new(3).await;
    let running = fenced.start("op-0");
    fenced.all_reconciled_by(&["op-0"]).await;
    fenced.all_rows_are_right().await;
    let before = fenced.rows().await;
    fenced.delete_table().await;
    let restored = fenced.all_rows_are_right().await;
    assert!(restored <= Duration::from_secs(1), "{restored:?}");
    assert_eq!(fenced.rows().await, before);
    // A token that a renewal exceeds.
    for key in [RowKey::Bucket(Bucket(7)), RowKey::Stamping, RowKey::Coordinator] {
        let token = fenced.rows().await[&key.to_string()].token + 1;
        fenced.edit(key, token).await;
        let restored = fenced.all_rows_are_right().await;
        assert!(restored <= Duration::from_secs(3), "{restored:?}");
        assert!(fenced.rows().await[&key.to_string()].token > token);
    }
    assert!(fenced.events().await.contains("OwnershipRestored"), "{:?}", fenced.events().await);
    running.ready().await;
    // It has gone on all the time but for what it was not sure of.
    assert_eq!(fenced.reconciled_within(Duration::from_secs(5)).await, fenced::WIDGETS);
}

/// Somebody who edits rows again and again is followed more and more seldom.
#[tokio::test(start_paused = true)]
async fn a_row_that_is_edited_again_and_again_causes_fewer_and_fewer_renewals() {
    let fenced = Fenced::new(2).await;
    let _running = fenced.start("op-0");
    fenced.all_rows_are_right().await;
    let mut edits = 0;
    for _ in 0..600 {
        let row = &fenced.rows().await["7"];
        if row.pod == "op-0" {
            fenced.edit(RowKey::Bucket(Bucket(7)), row.token + 1).await;
            edits += 1;
        }
        fenced.harness.clock.sleep(Duration::from_secs(1)).await;
    }
    assert!((5..20).contains(&edits), "{edits}");
}

#[tokio::test(start_paused = true)]
async fn without_a_table_that_can_be_written_work_goes_on_after_a_wait_unless_rows_are_required() {
    for required in [false, true] {
        let fenced = Fenced::new(2).await;
        let running = fenced.start_with("op-0", Fencing::default().with_required(required));
        running.replica.network.forbid(Some("ownershiptables"));
        let works = fenced.reconciled_within(Duration::from_secs(60)).await;
        assert_eq!(works, if required { 0 } else { fenced::WIDGETS });
        let says = running.not_ready();
        assert_eq!(says.is_some(), required, "{says:?}");
        assert!(says.is_none_or(|says| says.contains("ownershiptables is forbidden")));
        assert!(fenced.events().await.contains("NotFenced"), "{:?}", fenced.events().await);
        running.replica.network.forbid(None);
        fenced.all_reconciled_by(&["op-0"]).await;
        fenced.all_rows_are_right().await;
        running.ready().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_missing_is_told() {
    let fenced = Fenced::new(2).await;
    let running = fenced.start_with("op-0", Fencing::default().with_required(true));
    running.replica.network.lose(Some("ownershiptables"));
    fenced.harness.clock.sleep(Duration::from_secs(60)).await;
    let says = running.not_ready().expect("it is not ready");
    assert!(says.contains("install the definition"), "{says}");
    running.replica.network.lose(None);
    fenced.all_reconciled_by(&["op-0"]).await;
    assert_eq!(fenced.without_row(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_replica_but_the_coordinator_stamps() {
    assert!(!fenced::stamped_by_another().await);
}

/// A version that does not write rows runs beside one that does, during a rolling update.
#[tokio::test(start_paused = true)]
async fn replicas_with_and_without_fencing_hand_shards_over() {
    let fenced = Fenced::new(4).await;
    let without = fenced.start_with("op-0", None);
    fenced.all_reconciled_by(&["op-0"]).await;
    assert!(fenced.rows().await.is_empty());
    let with = fenced.start("op-1");
    fenced.harness.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(fenced.wrong_rows().await, [""; 0]);
    drop(without.replica.stop);
    without.replica.task.await.unwrap().unwrap();
    fenced.all_reconciled_by(&["op-1"]).await;
    fenced.all_rows_are_right().await;
    drop(with);
}

/// Another process of the same Pod is the same owner, with a larger token.
#[tokio::test(start_paused = true)]
async fn a_restart_in_place_replaces_the_rows_of_the_process_before() {
    let fenced = Fenced::new(2).await;
    let before = fenced.start("op-0");
    fenced.all_rows_are_right().await;
    let old = fenced.rows().await;
    drop(before.replica.stop);
    before.replica.task.await.unwrap().unwrap();
    let _after = fenced.start("op-0");
    fenced.all_reconciled_by(&["op-0"]).await;
    let new = fenced.all_rows_are_right().await;
    println!("after {new:?}");
    for (key, row) in fenced.rows().await {
        assert!(row.token > old[&key].token, "{key}");
    }
    assert_eq!(fenced.without_row(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn fencing_without_a_pod_or_without_elections_is_refused() {
    let harness = Harness::new().await;
    let mut options = harness.options("op-0", 1).with_pod(None).with_fencing(Fencing::default());
    let refused = harness.app(options.clone()).1.run(async {}).await;
    assert!(matches!(refused, Err(RunError::Fencing(CannotFence::NoPod))), "{refused:?}");
    options.elections.leader_election = false;
    let refused = harness.app(options).1.run(async {}).await;
    assert!(matches!(refused, Err(RunError::Fencing(CannotFence::NoElection))), "{refused:?}");
}

/// A patch that depends on a version of the table that is gone is refused, and the rows are written by the new one.
#[tokio::test(start_paused = true)]
async fn writes_of_others_to_the_table_delay_no_start() {
    let fenced = Fenced::new(4).await;
    let _running = fenced.start("op-0");
    fenced.all_rows_are_right().await;
    let _second = fenced.start("op-1");
    for nth in 0..200 {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"nth": nth.to_string()}}}));
        fenced.tables.patch(ID, &PatchParams::default(), &patch).await.unwrap();
        fenced.harness.clock.sleep(Duration::from_millis(100)).await;
    }
    fenced.all_reconciled_by(&["op-0", "op-1"]).await;
    fenced.all_rows_are_right().await;
    assert_eq!(fenced.without_row(), [""; 0]);
}
