//! Release, and who comes next.

use lease_core::{Candidate, State, Term};
use tokio::time::timeout;

use crate::support::{DEADLINE, ID, leases, replica};
use crate::waiting::{idle, leads};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_lease_is_taken_without_waiting_for_it_to_expire() {
    let Some(env) = kube_testkit::real("watches and conditional updates").await else { return };
    let (first, second) = (replica(&env, "first").await, replica(&env, "second").await);

    let leader = first.lead(idle);
    let term = leader.leading().await;
    assert!(term.is_valid());
    let standby = second.lead(idle);
    let mut status = standby.status();
    let sees_the_first = status
        .wait_for(|seen| seen.state == State::Standby && seen.holder.as_ref() == Some(first.identity()));
    drop(timeout(DEADLINE, sees_the_first).await.expect("the second sees that the first leads"));

    let released = std::time::Instant::now();
    leader.shutdown().await;
    assert!(!term.is_valid(), "a released Lease leaves no valid term behind");
    let next = timeout(DEADLINE, standby.leading()).await.expect("the second leads");
    println!("handoff took {:?}", released.elapsed());
    assert!(next.token() > term.token());

    let lease = leases(&env).get(ID).await.expect("it exists").spec.expect("a spec");
    assert_eq!(lease.holder_identity.as_deref(), Some("second_1"));
    assert_eq!(lease.lease_transitions, Some(1));
    assert_eq!(lease.lease_duration_seconds, Some(5));

    standby.shutdown().await;
    let lease = leases(&env).get(ID).await.expect("it exists").spec.expect("a spec");
    assert_eq!(lease.holder_identity.as_deref(), Some(""));
    assert_eq!(lease.lease_duration_seconds, Some(1));
    first.shutdown().await;
    second.shutdown().await;
}

/// Passes the Lease on. The leader does not contend until the other candidate leads: it leaves the Lease alone for one RetryPeriod only, and
/// on a busy machine the other one may need longer.
pub(crate) async fn hand_over(leader: &Candidate, next: &Candidate, what: &str) -> Term {
    leader.contend(false);
    leader.step_down(None);
    let term = leads(next, what).await;
    leader.contend(true);
    term
}
