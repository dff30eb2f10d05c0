//! Whole replicas on an API server in memory, in tokio's paused time: exact, and over in no time.

#[path = "virtual_time/ability.rs"]
mod ability;
#[path = "virtual_time/absent_namespaces.rs"]
mod absent_namespaces;
#[path = "virtual_time/absent_successor.rs"]
mod absent_successor;
#[path = "virtual_time/any_kind.rs"]
mod any_kind;
#[path = "virtual_time/apply_any_type.rs"]
mod apply_any_type;
#[path = "virtual_time/apply_owned.rs"]
mod apply_owned;
#[path = "virtual_time/apply_refused.rs"]
mod apply_refused;
#[path = "virtual_time/blackhole.rs"]
mod blackhole;
#[path = "virtual_time/clock.rs"]
mod clock;
#[path = "virtual_time/contention.rs"]
mod contention;
#[path = "virtual_time/control_loop.rs"]
mod control_loop;
#[path = "virtual_time/dead_connections.rs"]
mod dead_connections;
#[path = "virtual_time/dead_first_lists.rs"]
mod dead_first_lists;
#[path = "virtual_time/examples.rs"]
mod examples;
#[path = "virtual_time/failing_lease_watch.rs"]
mod failing_lease_watch;
#[path = "virtual_time/fairness.rs"]
mod fairness;
#[path = "virtual_time/fenced.rs"]
mod fenced;
#[path = "virtual_time/fenced_tests.rs"]
mod fenced_tests;
#[path = "virtual_time/first_lists_are_consistent.rs"]
mod first_lists_are_consistent;
#[path = "virtual_time/fleet.rs"]
mod fleet;
#[path = "virtual_time/harness.rs"]
mod harness;
#[path = "virtual_time/hung_lease_watch.rs"]
mod hung_lease_watch;
#[path = "virtual_time/judged_run.rs"]
mod judged_run;
#[path = "virtual_time/key_label.rs"]
mod key_label;
#[path = "virtual_time/key_label_unseen.rs"]
mod key_label_unseen;
#[path = "virtual_time/label_selector.rs"]
mod label_selector;
#[path = "virtual_time/layout_change.rs"]
mod layout_change;
#[path = "virtual_time/layout_unseen.rs"]
mod layout_unseen;
#[path = "virtual_time/left_over_finalizer.rs"]
mod left_over_finalizer;
#[path = "virtual_time/load.rs"]
mod load;
#[path = "virtual_time/log.rs"]
mod log;
#[path = "virtual_time/migration_log.rs"]
mod migration_log;
#[path = "virtual_time/mistakes.rs"]
mod mistakes;
#[path = "virtual_time/name.rs"]
mod name;
#[path = "virtual_time/other_namespaces.rs"]
mod other_namespaces;
#[path = "virtual_time/predecessor.rs"]
mod predecessor;
#[path = "virtual_time/predecessor_unseen.rs"]
mod predecessor_unseen;
#[path = "virtual_time/priority.rs"]
mod priority;
#[path = "virtual_time/readiness.rs"]
mod readiness;
#[path = "virtual_time/release_order.rs"]
mod release_order;
#[path = "virtual_time/replaced.rs"]
mod replaced;
#[path = "virtual_time/replaced_tests.rs"]
mod replaced_tests;
#[path = "virtual_time/report_conflict.rs"]
mod report_conflict;
#[path = "virtual_time/resharding.rs"]
mod resharding;
#[path = "virtual_time/resharding_tests.rs"]
mod resharding_tests;
#[path = "virtual_time/restart_in_place.rs"]
mod restart_in_place;
#[path = "virtual_time/restart_in_place_tests.rs"]
mod restart_in_place_tests;
#[path = "virtual_time/restore.rs"]
mod restore;
#[path = "virtual_time/retry_after.rs"]
mod retry_after;
#[path = "virtual_time/scale_out.rs"]
mod scale_out;
#[path = "virtual_time/several_kinds.rs"]
mod several_kinds;
#[path = "virtual_time/shards_config_map.rs"]
mod shards_config_map;
#[path = "virtual_time/shutdown.rs"]
mod shutdown;
#[path = "virtual_time/spans.rs"]
mod spans;
#[path = "virtual_time/tasks.rs"]
mod tasks;
#[path = "virtual_time/triggers.rs"]
mod triggers;
#[path = "virtual_time/unlabelled_children.rs"]
mod unlabelled_children;
#[path = "virtual_time/unsharded.rs"]
mod unsharded;
#[path = "virtual_time/unsharded_kinds.rs"]
mod unsharded_kinds;
#[path = "virtual_time/watched_types.rs"]
mod watched_types;
#[path = "virtual_time/watched_unseen.rs"]
mod watched_unseen;
#[path = "real_api/widget.rs"]
#[expect(
    dead_code,
    reason = "these tests make an API server each, and install the definition there themselves"
)]
mod widget;

use std::time::Duration;

use blackhole::LeaseWatchFailure;
use layout_unseen::Coordinator;
use predecessor::Takes;
use report_conflict::Because;
use unsharded::Ends;

#[tokio::test(start_paused = true)]
async fn no_resource_has_two_owners_across_a_layout_change_by_hand() {
    let overlaps = layout_change::overlaps().await;
    assert!(overlaps.is_empty(), "{overlaps:#?}");
}

/// It reads the coordinator Lease before it works on what it has won.
#[tokio::test(start_paused = true)]
async fn nobody_works_by_a_layout_that_is_no_longer_committed() {
    let overlaps = layout_unseen::overlaps(Coordinator::Readable).await;
    assert!(overlaps.is_empty(), "{overlaps:#?}");
}

/// An answer that does not come confirms nothing.
#[tokio::test(start_paused = true)]
async fn nobody_works_by_a_layout_that_cannot_be_confirmed() {
    let overlaps = layout_unseen::overlaps(Coordinator::Unreadable).await;
    assert!(overlaps.is_empty(), "{overlaps:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_is_freed_once_no_write_can_land_any_more() {
    let (freed, longest_transit) = name::freed_after_a_write_was_given_up_on().await;
    assert!(freed >= longest_transit, "after {freed:?}");
}

/// The watch shows who took the Lease over.
#[tokio::test(start_paused = true)]
async fn shards_stop_at_once_when_a_predecessor_takes_the_lease_over() {
    let stopped = predecessor::overlap_with(Takes::KeepingLabels).await.expect("reconciles stop");
    assert!(stopped < Duration::from_secs(1), "after {stopped:?}");
}

/// The Lease has no label, so only a read by name shows it.
#[tokio::test(start_paused = true)]
async fn shards_stop_when_the_predecessors_lease_is_not_in_the_watch() {
    let stopped = predecessor::overlap_with(Takes::WithoutLabels).await.expect("reconciles stop");
    assert!(stopped < Duration::from_secs(1), "after {stopped:?}");
}

/// It reads the coordinator Lease before it works on what it has won, and looks at who holds it.
#[tokio::test(start_paused = true)]
async fn nobody_works_beside_a_predecessor_that_the_watch_does_not_show() {
    assert_eq!(predecessor_unseen::begun_beside_it().await, 0, "reconciles began beside the predecessor");
}

/// Its watch hangs while it takes over, and what it cached is older than what the previous owner worked by.
#[tokio::test(start_paused = true)]
async fn a_new_owner_knows_what_the_previous_one_knew_of_watched_types() {
    let (old, took) = watched_unseen::reconciled_by_an_old_state().await;
    assert!(old.is_empty(), "{old:?}");
    // A watch that hangs is restarted after some seconds; kube-runtime does that only after minutes.
    assert!(took <= 2 * lease_core::Timings::standard().takeover_bound(), "after {took:?}");
}

/// The restored Leases are honoured for LeaseDuration anew, and so is what each replica gave up meanwhile.
#[tokio::test(start_paused = true)]
async fn replicas_go_on_by_themselves_after_a_restore_of_etcd() {
    let timings = lease_core::Timings::standard();
    let bound = 3 * timings.takeover_bound();
    let recovered = restore::recovered_after().await.expect("they recover");
    assert!(recovered <= bound, "after {recovered:?}, and the bound is {bound:?}");
    println!("recovered after {recovered:?}");
}

/// One request limit, and the first waits of the backoff.
#[tokio::test(start_paused = true)]
async fn requests_on_dead_connections_are_given_up_and_made_again() {
    let recovered = dead_connections::recovered_after().await.expect("they recover");
    assert!(recovered <= Duration::from_secs(60), "after {recovered:?}");
}

/// One request limit, and the time to take the permits that are given back.
#[tokio::test(start_paused = true)]
async fn a_first_list_that_is_never_answered_gives_its_start_permit_back() {
    let started = dead_first_lists::others_started_after().await.expect("the other shards start");
    assert!(started <= Duration::from_secs(60), "after {started:?}");
}

/// All shards are held at once, and their caches are filled a few at a time.
#[tokio::test(start_paused = true)]
async fn first_lists_are_staged() {
    let (under_way, at_once) = dead_first_lists::under_way_at_once().await;
    assert_eq!(under_way, at_once);
}

/// Each candidate waits by its rank, so that no two ask for one shard in the same moment.
#[tokio::test(start_paused = true)]
async fn shards_of_a_replica_that_died_are_not_fought_over() {
    let conflicts = contention::conflicts_after_a_death().await;
    assert_eq!(conflicts, 0, "so many updates of shard Leases met a conflict");
}

/// They name each other as successors, and nobody waits for one that is leaving.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_successors_that_leave_as_well() {
    let took = contention::taken_over_from_several_that_leave().await;
    let retry_period = lease_core::Timings::standard().retry_period();
    assert!(took < retry_period, "it took {took:?}, and a successor is waited for {retry_period:?}");
}

/// It is late with its renewals, so that a release does not name it.
#[tokio::test(start_paused = true)]
async fn a_replica_that_is_frozen_is_not_named_as_a_successor() {
    let retry_period = lease_core::Timings::standard().retry_period();
    let took = contention::taken_over_beside_one_that_is_frozen(2 * retry_period).await;
    assert!(
        took <= Duration::from_millis(200),
        "it took {took:?}, and a successor is waited for {retry_period:?}"
    );
}

/// The release names it, since its next renewal could still come in time, and RetryPeriod / 10 later it is late.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_successor_that_is_seen_to_be_frozen() {
    let retry_period = lease_core::Timings::standard().retry_period();
    let took = contention::taken_over_beside_one_that_is_frozen(retry_period * 7 / 5).await;
    assert!(took < retry_period / 2, "it took {took:?}, and a successor is waited for {retry_period:?}");
}

/// A renewal within RetryPeriod, RetryPeriod to be shown, and the time between two looks.
#[tokio::test(start_paused = true)]
async fn a_lease_watch_that_does_not_show_own_renewals_is_begun_anew() {
    let timings = lease_core::Timings::standard();
    let bound = 2 * timings.retry_period() + 2 * timings.hurried_retry();
    let anew = hung_lease_watch::begun_anew_after().await;
    assert!(anew <= bound, "after {anew:?}, and the bound is {bound:?}");
}

/// The list that succeeds between two failures of the second kind is no recovery.
#[tokio::test(start_paused = true)]
async fn a_lease_watch_that_keeps_failing_is_begun_anew_more_and_more_seldom() {
    for failure in [LeaseWatchFailure::Unavailable, LeaseWatchFailure::TooOld] {
        let (minute, soon, later) = failing_lease_watch::pauses(failure).await;
        let mut expected = vec![2000; 32];
        expected[..2].copy_from_slice(&[500, 1000]);
        assert_eq!(minute, expected, "{failure:?}");
        assert_eq!(soon, 2000, "{failure:?}: half of LeaseDuration after the last failure");
        assert_eq!(later, 500, "{failure:?}: LeaseDuration after the last failure");
    }
}

/// The watch brings the newer version, and the report is made on that: no failure, and no second event.
#[tokio::test(start_paused = true)]
async fn a_report_on_an_object_that_has_changed_meanwhile_is_made_on_what_is_there_now() {
    let reported = report_conflict::refused(3, Because::OfAnEdit).await;
    assert_eq!(reported.pauses, [Duration::ZERO; 3], "the watch has brought the edit already");
    reported.once_and_without_a_failure();
}

/// Nothing that the watch brings would make it be tried again.
#[tokio::test(start_paused = true)]
async fn a_report_that_is_refused_as_a_conflict_without_news_is_tried_again_more_and_more_seldom() {
    let reported = report_conflict::refused(3, Because::OfAnOldVersion).await;
    assert_eq!(reported.pauses, [100, 200, 400].map(Duration::from_millis));
    reported.once_and_without_a_failure();
}

/// The coordinator's watch shows it that the layout is gone.
#[tokio::test(start_paused = true)]
async fn a_layout_that_somebody_takes_off_the_lease_comes_back() {
    let restored = control_loop::layout_restored_after().await;
    assert!(restored <= lease_core::Timings::standard().retry_period(), "after {restored:?}");
}

/// Ten LeaseDurations after it has expired, and no sooner: whoever looks into a death finds it until then.
#[tokio::test(start_paused = true)]
async fn the_member_lease_of_a_replica_that_died_is_deleted_in_the_end() {
    let timings = lease_core::Timings::standard();
    let collected = control_loop::dead_member_collected_after().await;
    let earliest = 10 * timings.lease_duration();
    let latest = earliest + timings.lease_duration() + 2 * timings.retry_period();
    assert!(earliest <= collected && collected <= latest, "after {collected:?}");
}

/// What keeps it from five times is that buckets differ in size by chance. Each replica works on four at once, so that the end, at which not all
/// of them have something left to do, weighs little.
#[tokio::test(start_paused = true)]
async fn five_replicas_get_through_slow_reconciles_four_and_a_half_times_as_fast_as_one() {
    let (one, five) = (scale_out::run(1500, 1, 64, 4).await, scale_out::run(1500, 5, 64, 4).await);
    let times = one.took.div_duration_f64(five.took);
    assert!(times >= 4.5, "{times:.2} times: {one:?} and {five:?}");
}

/// By `namespace/name`, a namesake may fall into another bucket than the one that is recorded: with the finalizer gone, another replica
/// could work on it beside the last reconcile of this one.
#[tokio::test(start_paused = true)]
async fn a_bucket_of_a_former_key_label_keeps_its_finalizer() {
    key_label::keeps_its_finalizer().await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_a_former_key_label_stands() {
    let (before, after) = key_label::labels_before_and_after().await;
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_a_name_stands_when_a_key_label_is_set() {
    key_label::a_name_keeps_its_bucket().await;
}

/// It looks at the coordinator Lease before it does.
#[tokio::test(start_paused = true)]
async fn nobody_records_a_bucket_by_a_layout_that_is_no_longer_committed() {
    assert_eq!(key_label_unseen::recorded().await, None);
}

/// The holder of the coordinator Lease cannot reach the API server any more.
#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_is_taken_over_from_a_replica_that_is_cut_off() {
    let verdict = unsharded::taken_over(Ends::CutOff).await;
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.coverage.crs, unsharded::RESOURCES as u64, "{verdict}");
    assert_eq!(verdict.coverage.writes, unsharded::RESOURCES as u64, "each child is created once: {verdict}");
}

/// It drains before it releases the coordinator Lease.
#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_is_taken_over_from_a_replica_that_shuts_down() {
    let verdict = unsharded::taken_over(Ends::ShutDown).await;
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.coverage.crs, unsharded::RESOURCES as u64, "{verdict}");
    assert_eq!(verdict.coverage.writes, unsharded::RESOURCES as u64, "each child is created once: {verdict}");
}

/// The kind was sharded there, and its shards are still held.
#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_is_not_worked_on_beside_shards_of_a_former_layout() {
    let overlaps = unsharded::beside_a_former_layout().await;
    assert!(overlaps.is_empty(), "{overlaps:#?}");
}
