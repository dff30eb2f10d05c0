//! Shards without an owner and CRs that wait, and the measured takeovers.

use serde_json::json;

use super::super::story::{Story, cr, ms, stamp};
use super::super::{CreatedCr, Timeline, takeovers};
use super::{only, passes};
use crate::records::{Replica, Shard};

/// a is killed at 2000, b takes over at `next`.
fn killed(next: u64) -> Story {
    let mut story = Story::new();
    story.rules.unowned_bound = Some(ms(6000));
    story.hold("a", 0, 1, 0, 3000);
    story.renew("a", 0, 1, 1900, 4900);
    story.reconcile("a", "m", 0, 1, 100, 200);
    story.fault("a", 2000);
    story.hold("b", 0, 2, next, 20_000);
    story.reconcile("b", "m", 0, 2, next + 50, next + 60);
    story
}

#[test]
fn a_takeover_within_the_bound_passes() {
    passes(&killed(8000));
}

#[test]
fn a_late_takeover_is_measured_from_the_fault() {
    let sentences = only(&killed(8001), "unowned", 1);
    assert!(sentences[0].contains("for 6.001s, 1ms longer than the bound of 6s"), "{sentences:?}");
}

#[test]
fn without_a_fault_the_gap_runs_from_the_end_of_validity() {
    let mut story = killed(10_899);
    story.evidence.faults.clear();
    passes(&story);
    let mut story = killed(10_901);
    story.evidence.faults.clear();
    only(&story, "unowned", 1);
}

#[test]
fn a_shard_that_nobody_takes_is_caught_or_undecided() {
    let mut story = killed(5000);
    story.end_hold("b", 0, 2, 9000);
    story.evidence.until = Some(stamp(14_000));
    let verdict = story.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.checks.iter().map(|check| check.undecided).sum::<u64>(), 1);
    story.evidence.until = Some(stamp(15_001));
    let sentences = only(&story, "unowned", 1);
    assert!(sentences[0].contains("b_1 and the end of the observation"), "{sentences:?}");
}

#[test]
fn a_shard_that_never_had_an_owner_is_caught() {
    let mut story = killed(5000);
    story.evidence.shards = [Shard(0), Shard(7)].into();
    story.evidence.since = Some(stamp(0));
    story.evidence.until = Some(stamp(6_001));
    let sentences = only(&story, "unowned", 1);
    assert!(sentences[0].contains("Shard 7"), "{sentences:?}");
}

#[test]
fn holds_that_outlive_the_observation_are_no_gaps() {
    let mut story = killed(5000);
    story.evidence.until = Some(stamp(12_000));
    passes(&story);
}

fn created(name: &str, at: u64) -> CreatedCr {
    CreatedCr { cr: cr(name), uid: None, created: stamp(at), deleted: None }
}

/// One CR, created at 1000, reconciled from `begun` on with `outcome`.
fn waiting(begun: u64, outcome: &str) -> Story {
    let mut story = Story::new();
    story.rules.waiting_bound = Some(ms(500));
    story.hold("a", 0, 1, 0, 30_000);
    let reconcile = story.begin("a", "m", 0, 1, begun);
    story.end_with(&reconcile, begun + 10, outcome);
    story.evidence.crs = vec![created("m", 1000)];
    story.evidence.until = Some(stamp(3000));
    story
}

#[test]
fn a_cr_that_is_reconciled_soon_passes() {
    passes(&waiting(1400, "ok"));
}

#[test]
fn a_cr_that_waits_too_long_is_unstamped_and_unreconciled() {
    let sentences = only(&waiting(1600, "ok"), "waiting", 2);
    assert!(sentences[0].contains("default/m was unstamped for 600ms"), "{sentences:?}");
    assert!(sentences[1].contains("default/m was un-reconciled for 610ms"), "{sentences:?}");
}

#[test]
fn errors_are_no_convergence() {
    let sentences = only(&waiting(1400, "error"), "waiting", 1);
    assert!(sentences[0].contains("and still was at the end of the observation"), "{sentences:?}");
}

#[test]
fn a_stamped_cr_without_reconcile_is_only_unreconciled() {
    let mut story = waiting(1400, "ok");
    story.evidence.crs.push(created("n", 1000));
    let stamper = json!({"userAgent": "op-stamper/0.1.0 (c_1)"});
    story.audited("c", "cache.example.com", "memcacheds", "n", 1100, stamper);
    let sentences = only(&story, "waiting", 1);
    assert!(sentences[0].contains("default/n was un-reconciled"), "{sentences:?}");
}

#[test]
fn nothing_is_expected_of_a_deleted_cr() {
    let mut story = waiting(1400, "ok");
    story.evidence.crs.push(CreatedCr { deleted: Some(stamp(1300)), ..created("n", 1000) });
    passes(&story);
}

#[test]
fn takeovers_are_measured_from_the_fault_to_owner_and_crs() {
    let mut story = killed(7000);
    story.reconcile("a", "gone", 0, 1, 300, 310);
    let timeline = Timeline::new(&story.evidence().records.records);
    let found = takeovers(&timeline, &Replica("a_1".into()), &stamp(2000)).expect("one clock");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to, Some(Replica("b_1".into())));
    assert_eq!(found[0].owned_after, Some(ms(5000)));
    assert_eq!(found[0].reconciled_after[&cr("m")], Some(ms(5050)));
    assert_eq!(found[0].reconciled_after[&cr("gone")], None);
    assert_eq!((found[0].missing(), found[0].all_reconciled_after()), (1, None));
}
