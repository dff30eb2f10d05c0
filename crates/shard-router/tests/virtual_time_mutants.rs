//! Faults switched on, for the whole process, to prove that the scenarios in virtual time see them.

#[path = "virtual_time/blackhole.rs"]
mod blackhole;
#[path = "virtual_time/clock.rs"]
mod clock;
#[path = "virtual_time/dead_connections.rs"]
mod dead_connections;
#[path = "virtual_time/dead_first_lists.rs"]
mod dead_first_lists;
#[path = "virtual_time/fenced.rs"]
#[allow(dead_code, reason = "not every test program that shares this file needs all of it")]
mod fenced;
#[path = "virtual_time/fleet.rs"]
#[allow(dead_code, reason = "not every test program that shares this file needs all of it")]
mod fleet;
#[path = "virtual_time/harness.rs"]
mod harness;
#[path = "virtual_time/judged_run.rs"]
mod judged_run;
#[path = "virtual_time/key_label.rs"]
mod key_label;
#[path = "virtual_time/key_label_unseen.rs"]
mod key_label_unseen;
#[path = "virtual_time/layout_change.rs"]
#[expect(dead_code, reason = "the other tests that share this file need all of it")]
mod layout_change;
#[path = "virtual_time/layout_unseen.rs"]
mod layout_unseen;
#[path = "virtual_time/name.rs"]
mod name;
#[path = "virtual_time/predecessor.rs"]
mod predecessor;
#[path = "virtual_time/replaced.rs"]
#[expect(dead_code, reason = "some scenarios are for the rules themselves")]
mod replaced;
#[path = "virtual_time/resharding.rs"]
#[expect(dead_code, reason = "some scenarios are for the rules themselves")]
mod resharding;
#[path = "virtual_time/restart_in_place.rs"]
mod restart_in_place;
#[path = "virtual_time/restore.rs"]
mod restore;
#[path = "virtual_time/shards_of_the_unable.rs"]
mod shards_of_the_unable;
#[path = "virtual_time/unsharded.rs"]
mod unsharded;
#[path = "virtual_time/watched_unseen.rs"]
mod watched_unseen;
#[path = "real_api/widget.rs"]
#[expect(
    dead_code,
    reason = "these tests make an API server each, and install the definition there themselves"
)]
mod widget;

use lease_core::mutants::Mutant as RuleOfLeaseCore;
use predecessor::Takes;
use shard_router::mutants::{Mutant, activate};
use tokio::sync::Mutex;

/// One mutant at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// What the scenario returns while this rule is broken.
async fn with<T>(mutant: Mutant, scenario: impl Future<Output = T>) -> T {
    let _turn = TURN.lock().await;
    activate(Some(mutant));
    let result = scenario.await;
    activate(None);
    result
}

/// The same for a rule of lease-core.
async fn with_of_lease_core<T>(mutant: RuleOfLeaseCore, scenario: impl Future<Output = T>) -> T {
    let _turn = TURN.lock().await;
    lease_core::mutants::activate(Some(mutant));
    let result = scenario.await;
    lease_core::mutants::activate(None);
    result
}

fn assert_found_out(overlaps: &[String]) {
    println!("{} overlaps, such as {:?}", overlaps.len(), overlaps.first());
    assert!(!overlaps.is_empty(), "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_layout_that_is_not_confirmed_is_found_out() {
    let overlaps =
        with(Mutant::LayoutNotConfirmed, layout_unseen::overlaps(layout_unseen::Coordinator::Readable)).await;
    assert_found_out(&overlaps);
}

#[tokio::test(start_paused = true)]
async fn stamps_beside_former_holders_are_found_out() {
    let stamped = with(Mutant::StampsBesideFormerHolders, replaced::stamps_before_it_is_settled()).await;
    assert!(stamped, "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_freed_beside_a_write_is_found_out() {
    let (freed, longest_transit) =
        with(Mutant::NameFreedBesideUnanswered, name::freed_after_a_write_was_given_up_on()).await;
    assert!(freed < longest_transit, "not found out: {freed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_layout_that_stands_under_a_predecessor_is_found_out() {
    for takes in [Takes::KeepingLabels, Takes::WithoutLabels] {
        let stopped = with(Mutant::LayoutOfPredecessorStands, predecessor::overlap_with(takes)).await;
        assert_eq!(stopped, None, "not found out");
    }
}

#[tokio::test(start_paused = true)]
async fn old_news_that_is_dropped_after_a_restore_is_found_out() {
    let recovered = with_of_lease_core(RuleOfLeaseCore::OldNewsAfterRewind, restore::recovered_after()).await;
    assert_eq!(recovered, None, "not found out");
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_limit_are_found_out() {
    let recovered =
        with_of_lease_core(RuleOfLeaseCore::NoRequestLimit, dead_connections::recovered_after()).await;
    assert_eq!(recovered, None, "not found out");
}

#[tokio::test(start_paused = true)]
async fn first_lists_without_a_limit_are_found_out() {
    let started =
        with_of_lease_core(RuleOfLeaseCore::NoRequestLimit, dead_first_lists::others_started_after()).await;
    assert_eq!(started, None, "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_unable_and_keeps_its_shards_is_found_out() {
    let unbroken = async {
        let _turn = TURN.lock().await;
        shards_of_the_unable::taken_over_after().await
    };
    assert!(unbroken.await.is_some(), "the rule itself");
    let taken_over = with(Mutant::UnableKeepsShards, shards_of_the_unable::taken_over_after()).await;
    assert_eq!(taken_over, None, "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_overrides_the_record_is_found_out() {
    let (before, after) = with(Mutant::NameOverridesRecord, key_label::labels_before_and_after()).await;
    assert_ne!(before, after, "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_recorded_by_a_former_layout_is_found_out() {
    let recorded = with(Mutant::LayoutNotConfirmed, key_label_unseen::recorded()).await;
    assert!(recorded.is_some(), "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_cache_older_than_the_acquisition_is_found_out() {
    let (old, _) = with(Mutant::WatchedNotAwaited, watched_unseen::reconciled_by_an_old_state()).await;
    assert!(!old.is_empty(), "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_lease_that_is_released_without_a_drain_is_found_out() {
    let verdict = with(Mutant::SkipDrain, unsharded::taken_over(unsharded::Ends::ShutDown)).await;
    println!("{verdict}");
    assert!(!verdict.of("overlap").is_empty(), "not found out: {verdict}");
}

#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_that_does_not_wait_for_shards_of_a_former_layout_is_found_out() {
    let overlaps = with(Mutant::UnshardedAtOnce, unsharded::beside_a_former_layout()).await;
    assert_found_out(&overlaps);
}

/// The lock is needed, and that it is about no other holder. The third part of the rule, the wait, is broken in lease-core's schedules.
#[tokio::test(start_paused = true)]
async fn a_restart_in_place_that_takes_too_much_is_found_out() {
    use restart_in_place::{Finds, run};
    for (mutant, finds, check) in [
        (RuleOfLeaseCore::AnyHolderHasEnded, Finds::FreeLockBesideAnotherCutOff, "holds"),
        (RuleOfLeaseCore::LockNotAwaited, Finds::HeldLock, "holds"),
    ] {
        let verdict = with_of_lease_core(mutant, run(finds)).await.verdict;
        println!("{mutant:?}: {verdict}");
        assert!(!verdict.of(check).is_empty(), "{mutant:?} is not found out: {verdict}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_does_not_wait_for_its_row_is_found_out() {
    assert_found_out(&with(Mutant::RowNotAwaited, fenced::work_without_a_row()).await);
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_later_owner_that_is_ignored_is_found_out() {
    let (works, _) = with(Mutant::LaterOwnerIsIgnored, fenced::later_owner()).await;
    assert_found_out(&works);
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_hold_that_has_ended_are_found_out() {
    assert_found_out(&with(Mutant::RowsOutliveTheHold, fenced::rows_of_former_holders()).await);
}

#[tokio::test(start_paused = true)]
async fn a_stamp_of_another_than_the_coordinator_is_found_out() {
    let stamped = with(Mutant::OthersStampBesideTheRow, fenced::stamped_by_another()).await;
    assert!(stamped, "not found out");
}

/// A rule of a layout change is broken, and the checker objects.
macro_rules! found_out {
    ($name:ident, $mutant:ident, $scenario:expr, $sign:literal) => {
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let found = with(Mutant::$mutant, $scenario).await.objections();
            println!("{}", found.lines().take(3).collect::<Vec<_>>().join("\n"));
            assert!(found.contains($sign), "not found out: {found}");
        }
    };
}

found_out!(
    a_change_that_does_not_wait_for_the_last_one,
    CommitsBeforeSettled,
    resharding::changes_again_before_one_has_stopped(4, 8, 3),
    "overlap"
);
found_out!(
    an_absent_lease_that_settles,
    AbsentCountsAsAcknowledged,
    resharding::holder_is_cut_off(8, 3, true),
    "overlap"
);
found_out!(
    a_change_that_is_settled_without_surplus_shards,
    SettledByItsOwnShards,
    resharding::holder_is_cut_off(8, 1, false),
    "overlap"
);
found_out!(
    an_absent_lease_that_gives_buckets_away,
    AbsentHasGivenAway,
    resharding::holder_is_cut_off(8, 3, true),
    "overlap"
);
found_out!(
    a_new_lease_that_is_free,
    NewLeaseIsFree,
    resharding::lease_is_deleted_before_a_start(),
    "overlap"
);
found_out!(
    a_gained_bucket_that_is_not_waited_for,
    GainedStartsAtOnce,
    resharding::changes_again(8, 3, 8),
    "overlap"
);
found_out!(a_lost_bucket_that_is_kept, WorksOnWhatItLost, resharding::changes(8, 3), "overlap");
found_out!(
    an_acknowledgement_before_the_drain,
    AcknowledgesBeforeTheDrain,
    resharding::changes_again(8, 3, 8),
    "overlap"
);
found_out!(a_token_that_falls, TokenOfAcquisition, resharding::changes(8, 3), "tokens");
found_out!(
    a_recovered_layout_that_counts_as_settled,
    RecoveredIsSettled,
    resharding::coordinator_lease_is_deleted(8, 3),
    "overlap"
);
found_out!(
    a_recovered_layout_that_keeps_buckets,
    RecoveredKeeps,
    resharding::coordinator_lease_is_deleted(8, 3),
    "overlap"
);

#[tokio::test(start_paused = true)]
async fn a_surplus_shard_that_nobody_acquires_is_found_out() {
    let scenario = resharding::settles_without_the_holder_of_a_surplus_shard();
    let settles = with(Mutant::SurplusIsNotAcquired, scenario).await;
    assert!(!settles, "not found out");
}

#[tokio::test(start_paused = true)]
async fn a_surplus_lease_that_is_deleted_before_all_have_acknowledged_is_found_out() {
    let scenario = resharding::settles_after_a_surplus_lease_is_deleted();
    let settles = with(Mutant::DeletesBeforeSettled, scenario).await;
    assert!(!settles, "not found out");
}
