//! A holder that is gone, and who comes next.

use kube_testkit::TestUser;
use lease_core::Timings;

use crate::chronicle::Chronicle;
use crate::referee::Referee;
use crate::support::{ID, leases, now, options, replica, replica_at, spec};
use crate::waiting::{MARGIN, leads, over, sees_holder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_holder_that_is_cut_off_is_taken_within_the_bound_and_not_before() {
    let Some(env) = kube_testkit::real("a Lease has to expire").await else { return };
    let proxy = env.proxy().expect("a proxy");
    let first = replica_at(env.config_via(&proxy, &TestUser::admin()), options(&env, "first")).await;
    let second = replica(&env, "second").await;
    let chronicle = Chronicle::of(leases(&env)).await;
    let referee = Referee::new();

    let leader = first.lead(referee.work());
    let term = leads(&leader, "the first leads").await;
    let standby = second.lead(referee.work());
    sees_holder(&standby, "first_1").await;

    proxy.cut();
    let cut = now();
    let ended = over(&term, "the term of the holder that is cut off ends").await;
    let next = leads(&standby, "the second leads").await;
    let taken = now();
    let last_renewal =
        chronicle.of_lease(ID).iter().rev().find(|entry| entry.version < next.token().0).map(|e| e.at);
    let since_renewal = taken.saturating_sub(last_renewal.expect("the first renewed"));
    println!(
        "failover: {:?} after the fault, {since_renewal:?} after the last renewal",
        taken.saturating_sub(cut)
    );
    println!(
        "the old holder stopped {:?} before the new one sent",
        next.acquisition_sent().monotonic.since_origin().saturating_sub(ended)
    );

    let timings = Timings::fast();
    assert!(
        ended <= next.acquisition_sent().monotonic.since_origin(),
        "taken before the old holder had stopped"
    );
    assert!(
        ended.saturating_sub(cut) <= timings.renew_deadline() + MARGIN,
        "it led on for {:?}",
        ended.saturating_sub(cut)
    );
    assert!(
        since_renewal <= timings.takeover_bound() + MARGIN,
        "taken only {since_renewal:?} after the last renewal"
    );
    assert_eq!(spec(&leases(&env), ID).await.lease_transitions, Some(1));

    // When the network is back, the first finds itself deposed and waits like any other.
    proxy.resume();
    sees_holder(&leader, "second_1").await;
    let (violations, _) = referee.verdict();
    assert!(
        violations.is_empty() && chronicle.violations().is_empty(),
        "{violations:?} {:?}",
        chronicle.violations()
    );
    standby.shutdown().await;
    let again = leads(&leader, "the first leads again").await;
    assert!(again.token() > next.token());
    leader.shutdown().await;
}
