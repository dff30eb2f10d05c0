//! Each fault is caught, and what looks like one is not.

mod bounds;
mod exclusion;
mod oracle;
mod writes;

use super::run_builder::RunBuilder;
use super::{Observations, Rules, judge};

/// Asserts that one check, and no other, found `count` violations.
fn only(run: &RunBuilder, check: &str, count: usize) -> Vec<String> {
    let verdict = run.judge();
    let all: Vec<_> = verdict.checks.iter().filter(|c| !c.violations.is_empty()).map(|c| c.name).collect();
    assert_eq!(all, [check], "{verdict}");
    assert_eq!(verdict.of(check).len(), count, "{verdict}");
    assert!(!verdict.passed());
    verdict.of(check).iter().map(|violation| violation.sentence.clone()).collect()
}

fn passes(run: &RunBuilder) {
    let verdict = run.judge();
    assert!(verdict.passed(), "{verdict}\n{:?}", verdict.data_problems);
}

#[test]
fn nothing_proves_nothing() {
    let verdict = judge(&Observations::default(), &Rules::default());
    assert!(!verdict.passed());
    assert!(verdict.data_problems[0].contains("nothing was proven"));
}

#[test]
fn an_audit_log_without_any_replica_proves_nothing() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.reconcile("a", "m", 0, 1, 10, 20);
    run.audited("a", "", "services", "m", 15, serde_json::json!({"verb": "get"}));
    let verdict = run.judge();
    assert!(!verdict.passed());
    assert!(verdict.data_problems[0].contains("no write of any replica"), "{:?}", verdict.data_problems);
}

#[test]
fn a_verdict_is_readable_and_serialises() {
    let mut run = RunBuilder::new();
    run.hold("a", 0, 1, 0, 1000);
    run.hold("b", 1, 2, 0, 1000);
    run.reconcile("a", "m", 0, 1, 100, 300);
    run.reconcile("b", "m", 1, 2, 250, 400);
    let verdict = run.judge();
    let text = verdict.to_string();
    assert!(text.contains("overlap        1 VIOLATIONS (2 reconciles)"), "{text}");
    assert!(
        text.contains("default/m was reconciled by two replicas at once for 50ms: a_1 (shard 0, token 1, +0.100000 s to +0.300000 s) and b_1"),
        "{text}"
    );
    assert!(text.contains("writes         not run: there is no audit log"), "{text}");
    let json = serde_json::to_value(&verdict).expect("a verdict is plain data");
    assert_eq!(json["passed"], false);
    assert_eq!(json["checks"][0]["violations"][0]["by_ms"], 50.0);
    assert_eq!(json["checks"][0]["violations"][0]["cr"], "default/m");
}
