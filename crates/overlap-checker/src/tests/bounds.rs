//! Shards without an owner and CRs that wait, and the measured takeovers.

use serde_json::json;

use super::super::run_builder::{RunBuilder, cr, ms, stamp};
use super::super::{CreatedCr, LeaseLifetime, Timeline, takeovers};
use super::{only, passes};
use crate::records::{Replica, Shard};

/// a is killed at 2000, b takes over at `next`.
fn killed(next: u64) -> RunBuilder {
    let mut run = RunBuilder::new();
    run.rules.unowned_bound = Some(ms(6000));
    run.hold("a", 0, 1, 0, 3000);
    run.renew("a", 0, 1, 1900, 4900);
    run.reconcile("a", "m", 0, 1, 100, 200);
    run.fault("a", 2000);
    run.hold("b", 0, 2, next, 20_000);
    run.reconcile("b", "m", 0, 2, next + 50, next + 60);
    run
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
    let mut run = killed(10_899);
    run.observations.faults.clear();
    passes(&run);
    let mut run = killed(10_901);
    run.observations.faults.clear();
    only(&run, "unowned", 1);
}

#[test]
fn a_shard_that_nobody_takes_is_caught_or_undecided() {
    let mut run = killed(5000);
    run.end_hold("b", 0, 2, 9000);
    run.observations.until = Some(stamp(14_000));
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.checks.iter().map(|check| check.undecided).sum::<u64>(), 1);
    run.observations.until = Some(stamp(15_001));
    let sentences = only(&run, "unowned", 1);
    assert!(sentences[0].contains("b_1 and the end of the observation"), "{sentences:?}");
}

#[test]
fn a_shard_that_never_had_an_owner_is_caught() {
    let mut run = killed(5000);
    run.observations.shards = [Shard(0), Shard(7)].into();
    run.observations.since = Some(stamp(0));
    run.observations.until = Some(stamp(6_001));
    let sentences = only(&run, "unowned", 1);
    assert!(sentences[0].contains("Shard 7"), "{sentences:?}");
}

#[test]
fn a_shard_needs_an_owner_while_its_lease_exists() {
    let clock = Timeline::new(&killed(5000).observations().records.records).clock;
    let lifetime = |created: Option<u64>, deleted: Option<u64>| {
        let at = |ms: Option<u64>| ms.map(|ms| clock.of_stamp(&stamp(ms)).expect("a moment"));
        LeaseLifetime { created: at(created), deleted: at(deleted) }
    };
    let ended = |deleted: u64| {
        let mut run = killed(5000);
        run.end_hold("b", 0, 2, 9000);
        run.observations.until = Some(stamp(30_000));
        run.observations.lifetimes = [(Shard(0), vec![lifetime(None, Some(deleted))])].into();
        run
    };
    passes(&ended(14_999));
    let sentences = only(&ended(15_001), "unowned", 1);
    assert!(sentences[0].contains("b_1 and the deletion of its Lease"), "{sentences:?}");

    let created_again = |acquired: u64| {
        let mut run = ended(10_000);
        run.hold("c", 0, 3, acquired, 40_000);
        run.observations.lifetimes.entry(Shard(0)).or_default().push(lifetime(Some(20_000), None));
        run
    };
    passes(&created_again(25_999));
    let sentences = only(&created_again(26_001), "unowned", 1);
    assert!(sentences[0].contains("between the start and c_1"), "{sentences:?}");
}

#[test]
fn holds_that_outlive_the_observation_are_no_gaps() {
    let mut run = killed(5000);
    run.observations.until = Some(stamp(12_000));
    passes(&run);
}

fn created(name: &str, at: u64) -> CreatedCr {
    CreatedCr { cr: cr(name), uid: None, created: stamp(at), deleted: None }
}

/// One CR, created at 1000, reconciled from `begun` on with `outcome`.
fn waiting(begun: u64, outcome: &str) -> RunBuilder {
    let mut run = RunBuilder::new();
    run.rules.waiting_bound = Some(ms(500));
    run.hold("a", 0, 1, 0, 30_000);
    let reconcile = run.begin("a", "m", 0, 1, begun);
    run.end_with(&reconcile, begun + 10, outcome);
    run.observations.crs = vec![created("m", 1000)];
    run.observations.until = Some(stamp(3000));
    run
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
    let mut run = waiting(1400, "ok");
    run.observations.crs.push(created("n", 1000));
    let stamper = json!({"userAgent": "op-stamper/0.1.0 (c_1)"});
    run.audited("c", "cache.example.com", "memcacheds", "n", 1100, stamper);
    let sentences = only(&run, "waiting", 1);
    assert!(sentences[0].contains("default/n was un-reconciled"), "{sentences:?}");
}

#[test]
fn nothing_is_expected_of_a_deleted_cr() {
    let mut run = waiting(1400, "ok");
    run.observations.crs.push(CreatedCr { deleted: Some(stamp(1300)), ..created("n", 1000) });
    passes(&run);
}

#[test]
fn takeovers_are_measured_from_the_fault_to_owner_and_crs() {
    let mut run = killed(7000);
    run.reconcile("a", "gone", 0, 1, 300, 310);
    let timeline = Timeline::new(&run.observations().records.records);
    let found = takeovers(&timeline, &Replica("a_1".into()), &stamp(2000)).expect("one clock");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to, Some(Replica("b_1".into())));
    assert_eq!(found[0].owned_after, Some(ms(5000)));
    assert_eq!(found[0].reconciled_after[&cr("m")], Some(ms(5050)));
    assert_eq!(found[0].reconciled_after[&cr("gone")], None);
    assert_eq!((found[0].missing(), found[0].all_reconciled_after()), (1, None));
}
