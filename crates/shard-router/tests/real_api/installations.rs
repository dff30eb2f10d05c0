//! Two installations that were given the same LeaderElectionID.

use kube::{ResourceExt, api::ListParams};
use kube_testkit::eventually;
use lease_core::Installation;
use shard_router::Options;

use crate::{
    fleet::{DEADLINE, Fleet, violations},
    scenarios::quick,
    widget::create,
};

const ANNOTATION: &str = "test.shard-router.dev/installation";

fn options(fleet: &Fleet, pod: &str, installation: &str) -> Options {
    let mut options = fleet.options(pod, 2);
    options.elections.installation = Some(Installation::new(installation).unwrap());
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newcomer_contends_for_nothing_and_says_so_until_the_other_has_stopped() {
    let Some(fleet) = Fleet::new("both installations have their Leases there").await else { return };
    create(&fleet.widgets, "w", &[]).await;
    let first = fleet.start(options(&fleet, "pod-a", "ns/a"), quick);
    fleet.settle_at(&[2]).await;
    let newcomer = fleet.start(options(&fleet, "pod-b", "ns/b"), quick);
    let because = newcomer.unready_because("installation").await;
    assert!(because.contains("ns/a, which holds lease"), "{because}");
    assert!(because.contains(&first.identity), "{because}");
    // The sentence comes with the first look at the Leases; from then on it must not touch any. The incumbent takes on a
    // second replica meanwhile, which takes a handover and so several rounds of everybody's loop.
    let second = fleet.start(options(&fleet, "pod-c", "ns/a"), quick);
    fleet.settle_at(&[1, 1]).await;
    first.ready().await;
    second.ready().await;
    newcomer.unready_because("installation ns/a").await;
    let written: Vec<_> = fleet.leases.list(&ListParams::default()).await.unwrap().items;
    for lease in &written {
        assert_eq!(
            lease.annotations().get(ANNOTATION).map(String::as_str),
            Some("ns/a"),
            "{}",
            lease.name_any()
        );
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        assert_ne!(holder, Some(newcomer.identity.as_str()), "{}", lease.name_any());
    }

    // One of two is no reason to hope.
    first.terminate().await;
    fleet.settle_at(&[2]).await;
    newcomer.unready_because("installation ns/a").await;
    assert!(fleet.holders().await.values().all(|holder| *holder == second.identity));

    second.terminate().await;
    newcomer.ready().await;
    fleet.settle_at(&[2]).await;
    assert!(fleet.holders().await.values().all(|holder| *holder == newcomer.identity));
    newcomer.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// Whoever gets the coordinator Lease stays, whoever that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_begin_at_once_one_works_and_the_other_says_why_not() {
    let Some(fleet) = Fleet::new("both installations have their Leases there").await else { return };
    let a = fleet.start(options(&fleet, "pod-a", "ns/a"), quick);
    let b = fleet.start(options(&fleet, "pod-b", "ns/b"), quick);
    fleet.settle_at(&[2]).await;
    let holders = fleet.holders().await;
    let (incumbent, other) =
        if holders.values().any(|holder| *holder == a.identity) { (a, b) } else { (b, a) };
    other.unready_because("is in use by the installation").await;
    incumbent.ready().await;
    incumbent.terminate().await;
    other.ready().await;
    fleet.settle_at(&[2]).await;
    other.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// Its Leases are still there, with a holder's name on them that nobody renews.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_installation_does_not_lock_out_its_successor() {
    let Some(fleet) = Fleet::new("the dead installation's Leases stay there").await else { return };
    let mut options_of_the_dead = options(&fleet, "pod-a", "ns/a");
    options_of_the_dead.elections.release_on_cancel = false;
    let dead = fleet.start(options_of_the_dead, quick);
    fleet.settle_at(&[2]).await;
    let gone = dead.identity.clone();
    dead.terminate().await;
    assert!(fleet.holders().await.values().all(|holder| *holder == gone), "the Leases were released");
    let successor = fleet.start(options(&fleet, "pod-b", "ns/b"), quick);
    successor.unready_because("installation ns/a").await;
    successor.ready().await;
    // The dead one is recorded as the holder until then.
    eventually("the successor to hold both shards", DEADLINE, || async {
        let holders = fleet.holders().await;
        (holders.len() == 2 && holders.values().all(|holder| *holder == successor.identity)).then_some(())
    })
    .await;
    successor.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}
