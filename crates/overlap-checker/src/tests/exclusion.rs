//! Overlaps, holds, tokens, and reconciles outside of holds.

use std::time::Duration;

use super::super::run_builder::RunBuilder;
use super::super::timeline::Timeline;
use super::super::tokens;
use super::{only, passes};

#[test]
fn touching_reconciles_do_not_overlap() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 5000);
    run.reconcile("a", "m", 0, 1, 10, 20);
    run.end_hold("a", 0, 1, 20);
    run.hold("b", 0, 2, 20, 5000);
    run.reconcile("b", "m", 0, 2, 20, 30);
    passes(&run);
}

#[test]
fn different_crs_may_be_reconciled_at_once() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("b", 1, 2, 0, 1000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.reconcile("b", "n", 1, 2, 100, 300);
    passes(&run);
}

#[test]
fn resources_of_two_kinds_may_have_one_name_and_those_of_one_kind_may_not() {
    let overlapping = |first: &str, second: &str| {
        let mut run = RunBuilder::new();
        run.hold("a", 0, 1, 0, 1000);
        run.hold("b", 1, 2, 0, 1000);
        let first = run.begin_uid("a", first, "old", 0, 1, 100);
        let second = run.begin_uid("b", second, "new", 1, 2, 150);
        run.end(&first, 200);
        run.end(&second, 250);
        run
    };
    passes(&overlapping("Site.example.com/m", "Domain.example.com/m"));
    only(&overlapping("Site.example.com/m", "Site.example.com/m"), "overlap", 1);
}

#[test]
fn an_overlap_by_uid_under_two_names_is_one() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("b", 1, 2, 0, 1000);
    let first = run.begin_uid("a", "m", "same", 0, 1, 100);
    let second = run.begin_uid("b", "n", "same", 1, 2, 150);
    run.end(&first, 200);
    run.end(&second, 250);
    only(&run, "overlap", 1);
}

#[test]
fn an_overlap_by_name_under_two_uids_is_one() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("b", 1, 2, 0, 1000);
    let first = run.begin_uid("a", "m", "old", 0, 1, 100);
    let second = run.begin_uid("b", "m", "new", 1, 2, 150);
    run.end(&first, 200);
    run.end(&second, 250);
    only(&run, "overlap", 1);
}

#[test]
fn an_old_reconcile_spanning_several_new_ones_overlaps_each() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("b", 1, 2, 0, 1000);
    let long = run.begin("a", "m", 0, 1, 100);
    run.reconcile("b", "m", 1, 2, 150, 160);
    run.reconcile("b", "m", 1, 2, 170, 180);
    run.end(&long, 200);
    only(&run, "overlap", 2);
}

#[test]
fn a_replica_that_overlaps_itself_is_caught() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("a", 1, 2, 0, 1000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.reconcile("a", "m", 1, 2, 200, 400);
    let sentences = only(&run, "overlap", 1);
    assert!(sentences[0].contains("twice by one replica at once for 100ms"), "{sentences:?}");
}

#[test]
fn a_killed_replica_counts_until_its_last_recorded_validity() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.renew("a", 0, 1, 2000, 5000);
    run.begin("a", "m", 0, 1, 2500);
    run.hold("b", 0, 2, 5000, 9000);
    run.reconcile("b", "m", 0, 2, 5000, 5100);
    passes(&run);
}

#[test]
fn a_takeover_before_the_validity_of_a_killed_replica_is_caught() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 5000);
    run.begin("a", "m", 0, 1, 2500);
    run.hold("b", 0, 2, 4900, 9000);
    run.reconcile("b", "m", 0, 2, 4950, 5100);
    let verdict = run.judge();
    assert_eq!((verdict.of("overlap").len(), verdict.of("holds").len()), (1, 1), "{verdict}");
    assert_eq!(verdict.overlaps(), 2);
}

#[test]
fn a_replica_that_was_seen_dead_holds_nothing_any_more() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 10_000);
    run.begin("a", "m", 0, 1, 2500);
    run.hold("b", 0, 2, 8000, 20_000);
    run.reconcile("b", "m", 0, 2, 8000, 8100);
    assert_eq!(run.judge().overlaps(), 2, "it may be alive");
    run.seen_dead("a", 8001);
    assert_eq!(run.judge().overlaps(), 2, "it was alive a moment ago");
    run.seen_dead("a", 3000);
    passes(&run);

    run.begin("a", "n", 0, 1, 3000);
    only(&run, "begun-in-hold", 1);
}

#[test]
fn a_paused_replica_whose_reconcile_ends_late_counts_until_validity() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    let paused = run.begin("a", "m", 0, 1, 1000);
    run.hold("b", 0, 2, 5000, 9000);
    run.reconcile("b", "m", 0, 2, 5100, 5200);
    run.abort(&paused, 8000);
    run.end_hold("a", 0, 1, 8000);
    passes(&run);
}

#[test]
fn an_abort_ends_a_reconcile() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 5000);
    let aborted = run.begin("a", "m", 0, 1, 1000);
    run.abort(&aborted, 1500);
    run.end_hold("a", 0, 1, 1500);
    run.hold("b", 0, 2, 1600, 5000);
    run.reconcile("b", "m", 0, 2, 1700, 1800);
    passes(&run);
}

#[test]
fn a_release_with_a_reconcile_still_running_is_caught() {
    let mut run = RunBuilder::new();
    // The drain was left out: no hold-end, the Lease was released while validity still ran.
    run.hold("a", 0, 1, 0, 5000);
    let running = run.begin("a", "m", 0, 1, 1000);
    run.hold("b", 0, 2, 1600, 5000);
    run.reconcile("b", "m", 0, 2, 1700, 1800);
    run.end(&running, 2500);
    let verdict = run.judge();
    assert_eq!((verdict.of("overlap").len(), verdict.of("holds").len()), (1, 1), "{verdict}");
}

#[test]
fn a_reconcile_begun_after_its_hold_is_caught() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.reconcile("a", "m", 0, 1, 3200, 3300);
    let sentences = only(&run, "begun-in-hold", 1);
    assert!(sentences[0].contains("200ms outside of its hold of shard 0"), "{sentences:?}");
}

#[test]
fn in_the_instant_in_which_a_hold_is_ended_the_order_of_the_records_decides() {
    let before = |end: u64, until: u64| {
        let mut run = RunBuilder::new();
        run.hold("a", 0, 1, 0, until);
        let begun = run.begin("a", "m", 0, 1, end);
        run.abort(&begun, end);
        run.end_hold("a", 0, 1, end);
        run
    };
    passes(&before(2000, 3000));
    only(&before(3000, 3000), "begun-in-hold", 1);

    let mut after = RunBuilder::new();
    after.hold("a", 0, 1, 0, 3000);
    after.end_hold("a", 0, 1, 2000);
    after.reconcile("a", "m", 0, 1, 2000, 2000);
    only(&after, "begun-in-hold", 1);
}

#[test]
fn a_reconcile_without_any_hold_is_caught_and_still_overlaps() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.reconcile("b", "m", 0, 9, 200, 400);
    let verdict = run.judge();
    assert_eq!((verdict.of("overlap").len(), verdict.of("begun-in-hold").len()), (1, 1), "{verdict}");
}

#[test]
fn two_valid_holders_are_caught_even_without_reconciles_of_both() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.hold("b", 0, 2, 2999, 6000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    let sentences = only(&run, "holds", 1);
    assert!(sentences[0].contains("Shard 0 had two valid holders for 1ms"), "{sentences:?}");
}

#[test]
fn a_late_renewal_of_an_ended_hold_does_not_revive_it() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.end_hold("a", 0, 1, 1000);
    run.renew("a", 0, 1, 1001, 5000);
    run.hold("b", 0, 2, 1100, 4000);
    passes(&run);
}

#[test]
fn a_token_that_does_not_grow_with_the_hold_is_caught() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 5, 0, 1000);
    run.reconcile("a", "m", 0, 5, 100, 300);
    run.hold("b", 0, 5, 2000, 3000);
    only(&run, "tokens", 1);
}

#[test]
fn a_smaller_token_for_a_later_owner_of_a_cr_is_caught() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 9, 0, 1000);
    run.hold("b", 1, 4, 0, 1000);
    run.reconcile("a", "m", 0, 9, 100, 200);
    run.reconcile("b", "m", 1, 4, 300, 400);
    let sentences = only(&run, "tokens", 1);
    assert!(sentences[0].contains("The token of default/m did not grow with its owner"), "{sentences:?}");
}

/// A reconciles with token 9; etcd is restored at 1.5 s; A and then B have it with these tokens.
fn restored(first: u64, second: u64) -> Vec<usize> {
    let mut run = RunBuilder::new();
    for (replica, token, at) in [("a", 9, 0), ("a", first, 2000), ("b", second, 4000)] {
        run.hold(replica, 0, token, at, at + 1000);
        run.reconcile(replica, "m", 0, token, at + 100, at + 200);
    }
    let records = run.observations().records.records;
    let plain = Timeline::new(&records);
    let restore = plain.holds[1].valid.from.minus(Duration::from_millis(500));
    let across = Timeline::across_restores(&records, &[restore]);
    assert!(across.data_problems.is_empty(), "{:?}", across.data_problems);
    let found = |timeline: &Timeline| tokens::check(timeline).violations.len();
    vec![found(&across), found(&plain)]
}

#[test]
fn after_a_restore_of_etcd_tokens_begin_again_below_and_grow_from_there() {
    // Of the shard and of the CR, each: with the restore, and without.
    let [with, without] = restored(4, 5)[..] else { panic!("two counts") };
    assert_eq!(with, 0);
    assert!(without > 0, "a fall that no restore explains is none to be forgiven");
    // Within the new epoch they have to grow as before it.
    for second in [4, 3] {
        assert_eq!(restored(4, second)[0], 2);
    }
}

#[test]
fn a_token_that_was_given_before_a_restore_may_be_given_again() {
    assert_eq!(restored(9, 10)[0], 0);
}

#[test]
fn a_namesake_of_another_shard_may_have_a_smaller_token() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 9, 0, 1000);
    run.hold("b", 1, 4, 0, 1000);
    for (replica, uid, shard, token, at) in [("a", "deleted", 0, 9, 100), ("b", "made anew", 1, 4, 300)] {
        let begun = run.begin_uid(replica, "m", uid, shard, token, at);
        run.end(&begun, at + 100);
    }
    passes(&run);
}

#[test]
fn one_owner_keeps_its_token_from_reconcile_to_reconcile() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 9, 0, 1000);
    run.reconcile("a", "m", 0, 9, 100, 200);
    run.reconcile("a", "m", 0, 9, 300, 400);
    passes(&run);
}

#[test]
fn contradictory_records_are_a_data_problem() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 9, 0, 1000);
    run.reconcile("a", "m", 0, 9, 100, 200);
    run.end_hold("a", 0, 8, 300);
    let verdict = run.judge();
    assert!(!verdict.passed());
    assert!(verdict.data_problems[0].contains("without a hold-begin"), "{:?}", verdict.data_problems);
}
