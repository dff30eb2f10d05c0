//! Release, and who comes next.

use lease_core::State;
use tokio::time::timeout;

use crate::support::{DEADLINE, ID, leases, replica};
use crate::waiting::idle;

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
