//! The kind that is not sharded is judged by the same checkers as the other one.

use super::run_builder::{RunBuilder, at, only, only_of, passes};

/// A coordinates until 50 s, and so until 60 s at most; then B. Both reconcile the same resource.
fn handed_over() -> RunBuilder {
    let mut run = RunBuilder::settled();
    run.runs("a", 0, 0).runs("b", 1, 0).holds("a", 0, 10_000, 100_000);
    run.coordinates("a", 20_000, 50_000).reconciled_profile("a", "p-0", 40_000, 42_000);
    run.coordinates("b", 66_000, 90_000).reconciled_profile("b", "p-0", 67_000, 69_000);
    run.observations.records.sort_by_key(|record| record.boot);
    run.observations.leases.sort_by_key(|state| state.at);
    run.desired_profile("p-0", 7, 7);
    run
}

#[test]
fn a_handover_in_good_order_passes_and_is_judged() {
    let judged = passes(&handed_over()).judged;
    assert_eq!((judged["overlap"], judged["barrier"], judged["writes"], judged["sending"]), (2, 2, 2, 2));
    assert_eq!((judged["waiting"], judged["lost"], judged["beside"]), (1, 1, 2));
}

#[test]
fn an_overlap_is_caught() {
    let mut run = handed_over();
    run.reconciled_profile("b", "p-0", 40_500, 43_000);
    assert!(only_of(&run, "overlap", 1)[0].contains("Profile.fleet.example.com/default/p-0"));
    only_of(&run, "begun-in-hold", 1);
    only_of(&run, "beside", 2);
}

#[test]
fn a_write_that_lands_or_is_sent_when_another_holds_the_lease_is_caught() {
    let mut run = handed_over();
    let uri = "/apis/fleet.example.com/v1/namespaces/default/profiles/p-0/status";
    run.request("a", "PATCH", uri, 66_500, 200);
    let sentences = only_of(&run, "writes", 1);
    assert!(sentences[0].contains("of its hold of the coordinator Lease"), "{sentences:?}");
    let sentences = only_of(&run, "sending", 1);
    assert!(sentences[0].contains("of its hold of the coordinator Lease"), "{sentences:?}");
}

#[test]
fn a_reconcile_before_the_kind_is_listed_is_caught() {
    let mut run = handed_over();
    let list = run.observations.requests.iter_mut().find(|request| request.uri.contains("/profiles?"));
    list.expect("the first hold came with a list").sent = at(19_999);
    let sentences = only(&run, "barrier");
    assert!(sentences[0].contains("a_1 acquired the coordinator Lease"), "{sentences:?}");
}

#[test]
fn two_valid_holders_are_caught() {
    let mut run = handed_over();
    run.coordinates("b", 55_000, 55_000);
    let sentences = only_of(&run, "holds", 1);
    assert!(sentences[0].contains("The coordinator Lease had two valid holders"), "{sentences:?}");
}

#[test]
fn what_was_not_reconciled_as_it_was_written_last_is_caught() {
    let mut run = handed_over();
    run.desired_profile("p-0", 8, 7);
    assert!(only(&run, "lost")[0].contains("7 was reconciled last and not 8"));
    let mut run = handed_over();
    run.observations.profiles.clear();
    assert!(only(&run, "lost")[0].contains("profiles/p-0 is there at the end of the run"));
}
