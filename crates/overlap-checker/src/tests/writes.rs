//! Writes that the API server accepted.

use serde_json::json;

use super::super::Timeline;
use super::super::run_builder::{RunBuilder, ms};
use super::super::writes::next_holder;
use super::{only, passes};

/// a holds shard 0 until 3000 and reconciles m; b holds it from 5000.
fn run() -> RunBuilder {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 3000);
    run.begin("a", "m", 0, 1, 100);
    run.hold("b", 0, 2, 5000, 9000);
    run.reconcile("b", "m", 0, 2, 5100, 5200);
    run.write("a", "m", 150);
    run
}

#[test]
fn writes_within_the_hold_pass() {
    let mut run = run();
    run.write("a", "m", 2999);
    run.write("b", "m", 5150);
    passes(&run);
}

#[test]
fn writes_of_clients_that_nobody_authenticated_are_judged_and_counted() {
    let mut run = run();
    let anonymous = json!({"user": {"username": "system:anonymous"}});
    run.audited("a", "", "services", "m", 160, anonymous);
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.coverage.writes, verdict.coverage.unauthenticated), (2, 1));
    assert!(verdict.to_string().contains("clients of 1 of these writes"), "{verdict}");
}

#[test]
fn a_write_after_validity_is_caught() {
    let mut run = run();
    run.write("a", "m", 3100);
    let sentences = only(&run, "writes", 1);
    assert!(sentences[0].contains("100ms outside of its hold of shard 0"), "{sentences:?}");
    assert!(sentences[0].contains("nobody else held it yet"), "{sentences:?}");
}

#[test]
fn a_request_in_transit_is_allowed_for_until_the_next_holder() {
    let mut run = run();
    run.rules.transit = ms(2500);
    run.write("a", "m", 4900);
    passes(&run);
    assert_eq!(run.judge().checks.iter().map(|check| check.in_transit).sum::<u64>(), 1);
    run.write("a", "m", 5050);
    let sentences = only(&run, "writes", 1);
    assert!(sentences[0].contains("b_1 had held it for 50ms"), "{sentences:?}");
}

/// Tokens begin again below after a restore, so that its token alone does not tell who came next.
#[test]
fn whoever_acquires_after_a_restore_of_etcd_is_the_next_holder_whatever_its_token() {
    let mut run = RunBuilder::new();
    for (replica, token, at) in [("a", 9, 0), ("b", 4, 3000), ("c", 12, 6000)] {
        run.hold(replica, 0, token, at, at + 1000);
    }
    let records = run.observations().records.records;
    let next = |timeline: &Timeline| {
        let first = timeline.holds.iter().find(|hold| hold.token.0 == 9).expect("told");
        next_holder(timeline, first).map(|next| next.token.0)
    };
    let plain = Timeline::new(&records);
    assert_eq!(next(&plain), Some(12), "4 was given before 9");
    let second = plain.holds.iter().find(|hold| hold.token.0 == 4).expect("told");
    let restore = second.valid.from.minus(ms(500));
    assert_eq!(next(&Timeline::across_restores(&records, &[restore])), Some(4));
}

#[test]
fn a_write_before_its_hold_was_not_in_transit() {
    let mut run = run();
    run.rules.transit = ms(2500);
    run.begin("c", "m", 0, 3, 9100);
    run.write("c", "m", 9150);
    run.hold("c", 0, 3, 9500, 12_000);
    let verdict = run.judge();
    assert_eq!((verdict.of("writes").len(), verdict.of("begun-in-hold").len()), (1, 1), "{verdict}");
}

#[test]
fn the_clock_slack_forgives_no_more_than_itself() {
    let mut run = run();
    run.write("a", "m", 3004);
    passes(&run);
    run.write("a", "m", 3006);
    only(&run, "writes", 1);
}

#[test]
fn a_refused_late_write_and_a_dry_run_are_no_writes() {
    let mut run = run();
    run.audited("a", "", "services", "m", 4000, json!({"responseStatus": {"code": 403}}));
    run.audited("a", "", "services", "m", 4000, json!({"requestURI": "/x?dryRun=All"}));
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.coverage.left_out.refused, verdict.coverage.left_out.dry_run), (1, 1));
}

#[test]
fn a_late_write_that_may_have_landed_is_caught() {
    let mut run = run();
    run.audited("a", "", "services", "m", 200, json!({"responseStatus": {"code": 504}}));
    passes(&run);
    run.audited("a", "", "services", "m", 4000, json!({"responseStatus": {"code": 504}}));
    run.audited("a", "", "services", "m", 4000, json!({"responseStatus": {}}));
    only(&run, "writes", 2);
}

#[test]
fn leases_and_events_are_left_out_and_counted() {
    let mut run = run();
    run.audited("a", "coordination.k8s.io", "leases", "op-shard-0", 4000, json!({}));
    run.audited("a", "", "events", "m.1", 4000, json!({"verb": "create"}));
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.coverage.left_out.not_judged.values().sum::<u64>(), 2);
}

#[test]
fn a_child_with_a_suffix_belongs_to_its_cr() {
    let mut run = run();
    run.audited("a", "policy", "poddisruptionbudgets", "m-pdb", 200, json!({}));
    passes(&run);
    run.audited("a", "policy", "poddisruptionbudgets", "m-pdb", 4000, json!({}));
    only(&run, "writes", 1);
}

#[test]
fn a_write_before_any_reconcile_of_the_cr_is_unexplained() {
    let mut run = run();
    run.write("a", "other", 200);
    let sentences = only(&run, "writes", 1);
    assert!(sentences[0].contains("comes before any reconcile of that CR"), "{sentences:?}");
}

#[test]
fn stamping_needs_no_hold_but_children_are_never_stamped() {
    let mut run = run();
    let stamper = json!({"userAgent": "op-stamper/0.1.0 (c_1)"});
    run.audited("c", "cache.example.com", "memcacheds", "other", 200, stamper.clone());
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.coverage.upkeep, 1);
    run.audited("c", "", "services", "other", 200, stamper);
    only(&run, "writes", 1);
}

#[test]
fn a_task_beside_the_reconciles_may_write_without_one_and_nobody_else_may() {
    let mut run = run();
    run.audited("c", "", "services", "other", 200, json!({"userAgent": "op-task/0.1.0 (c_1)"}));
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.coverage.left_out.tasks, 1);
    assert!(verdict.to_string().contains("1 accepted writes of tasks"), "{verdict}");
    run.audited("c", "", "services", "other", 200, json!({"userAgent": "op-tasks/0.1.0 (c_1)"}));
    only(&run, "writes", 1);
}

#[test]
fn a_user_agent_that_names_another_pod_is_a_data_problem() {
    let mut run = run();
    run.audited("a", "", "services", "m", 5150, json!({"userAgent": "op/0.1.0 (b_1)"}));
    let verdict = run.judge();
    assert!(!verdict.passed());
    assert!(verdict.data_problems[0].contains("User user-a stands for pod a"), "{:?}", verdict.data_problems);
}

#[test]
fn a_replicas_write_without_identity_is_unexplained() {
    let mut run = run();
    run.audited("a", "", "services", "m", 200, json!({"userAgent": "curl/8"}));
    only(&run, "writes", 1);
}

#[test]
fn a_constant_clock_offset_between_api_server_and_replicas_shows_as_such() {
    // The replicas' wall clock is 10 s ahead of the API server's: on one machine this cannot be, so the
    // checker takes the audit log at its word and the write falls outside of the hold. It must not pass by
    // accident.
    let mut run = RunBuilder::new();
    run.wall_ahead_ms = 10_000;
    run.hold("a", 0, 1, 0, 3000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.write("a", "m", 200);
    only(&run, "writes", 1);
}

#[test]
fn a_wall_clock_set_during_the_run_is_a_data_problem() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 9000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.write("a", "m", 200);
    run.wall_ahead_ms = 700;
    run.reconcile("a", "m", 0, 1, 400, 500);
    let verdict = run.judge();
    assert!(
        verdict.data_problems.iter().any(|t| t.contains("was set during the run")),
        "{:?}",
        verdict.data_problems
    );
}
