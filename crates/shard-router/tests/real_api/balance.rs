//! Who ends up with what.

use crate::{
    fleet::{Fleet, violations},
    scenarios::{self, quick},
    widget::create,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_with_eight_shards_settle_at_three_three_two_and_share_again_when_one_goes() {
    let Some(fleet) = Fleet::new("the plan, the handovers and the takeovers meet there").await else {
        return;
    };
    let mut names = Vec::new();
    for n in 0..40 {
        names.push(create(&fleet.widgets, &format!("w{n}"), &[]).await.metadata.name.unwrap());
    }
    let a = fleet.start(fleet.options("pod-a", 8), quick);
    a.ready().await;
    fleet.settle_at(&[8]).await;
    fleet.reconciled(&names).await;

    let b = fleet.start(fleet.options("pod-b", 8), quick);
    let c = fleet.start(fleet.options("pod-c", 8), quick);
    fleet.settle_at(&[3, 3, 2]).await;

    a.terminate().await;
    fleet.settle_at(&[4, 4]).await;
    let holders = fleet.holders().await;
    assert!(holders.values().all(|holder| [&b.identity, &c.identity].contains(&holder)), "{holders:?}");
    b.terminate().await;
    fleet.settle_at(&[8]).await;
    c.terminate().await;
    assert_eq!(fleet.shares().await, [0_usize; 0], "a release leaves no holder behind");
    let leases = fleet.leases.list(&kube::api::ListParams::default()).await.unwrap();
    let members = leases.iter().filter(|lease| kube::ResourceExt::name_any(*lease).contains("-member-"));
    assert_eq!(members.count(), 0, "a member takes its Lease with it");
    assert_eq!(violations(&fleet.records), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_change_hands_under_running_reconciles_without_an_overlap() {
    let Some(fleet) = Fleet::new("the plan, the handovers and the takeovers meet there").await else {
        return;
    };
    assert_eq!(scenarios::handover(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_kept_beyond_the_hold_does_not_send() {
    let Some(fleet) = Fleet::new("it would accept the request").await else { return };
    assert_eq!(scenarios::kept_client(&fleet).await, [""; 0]);
}
