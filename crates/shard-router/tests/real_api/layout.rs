//! Replicas that do not agree with the committed layout, and predecessors that know of none.

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    ResourceExt,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use kube_testkit::eventually;
use serde_json::json;

use crate::{
    fleet::{DEADLINE, Fleet, ID, violations},
    scenarios::{self, quick},
    widget::create,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_with_another_key_label_contends_for_nothing() {
    let Some(fleet) = Fleet::new("the committed layout lives there").await else { return };
    assert_eq!(scenarios::other_key_label(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_replica_says_why_and_works_once_the_layout_matches() {
    let Some(fleet) = Fleet::new("the committed layout lives there").await else { return };
    let first = fleet.start(fleet.options("pod-a", 4), quick);
    fleet.settle_at(&[4]).await;
    let keyed = fleet.options("pod-b", 4).with_key_label("tenant".to_owned());
    let layout = serde_json::to_string(&keyed.layout()).unwrap();
    let other = fleet.start(keyed, quick);
    let because = other.unready_because("set to the shard key label tenant").await;
    assert!(because.contains("says no shard key label"), "{because}");
    first.terminate().await;
    // Everything is free now, and it still takes nothing.
    other.unready_because("set to the shard key label tenant").await;

    // A hand writes what all of them are set to by now.
    let patch = json!({"metadata": {"annotations": {"test.shard-router.dev/layout": layout}}});
    fleet.leases.patch(ID, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    fleet.settle_at(&[4]).await;
    other.ready().await;
    other.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// The coordinator ends, and the next one is set to another number of shards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_shards_follows_what_the_coordinator_is_set_to() {
    let Some(fleet) = Fleet::new("the committed layout lives there").await else { return };
    let first = fleet.start(fleet.options("pod-a", 4), quick);
    fleet.settle_at(&[4]).await;
    let other = fleet.start(fleet.options("pod-b", 2), quick);
    fleet.settle_at(&[2, 2]).await;
    first.terminate().await;
    fleet.settle_at(&[2]).await;
    other.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_shard_starts_while_an_unsharded_predecessor_holds_the_lease() {
    let Some(fleet) = Fleet::new("the predecessor's Lease lives there").await else { return };
    let lease = Lease {
        metadata: ObjectMeta { name: Some(ID.into()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some("old-operator_1".into()),
            lease_duration_seconds: Some(5),
            renew_time: Some(MicroTime(jiff::Timestamp::now())),
            ..LeaseSpec::default()
        }),
    };
    fleet.leases.create(&PostParams::default(), &lease).await.unwrap();
    create(&fleet.widgets, "w", &[]).await;
    let replica = fleet.start(fleet.options("pod-a", 2), quick);
    replica.ready().await;
    // The predecessor renews three times over; then it is gone and its Lease expires.
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let renewed = json!({"spec": {"renewTime": MicroTime(jiff::Timestamp::now())}});
        fleet.leases.patch(ID, &PatchParams::default(), &Patch::Merge(renewed)).await.unwrap();
        assert!(fleet.holders().await.is_empty(), "a shard is held beside the predecessor");
        assert!(fleet.records.of("begin").is_empty());
    }
    fleet.settle_at(&[2]).await;
    fleet.reconciled(&["w".to_owned()]).await;
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// A shard Lease that vanishes under its holder comes back with a placeholder, which has to expire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_shard_lease_comes_back_and_has_to_expire_first() {
    let Some(fleet) = Fleet::new("the Lease is deleted there").await else { return };
    let replica = fleet.start(fleet.options("pod-a", 2), quick);
    fleet.settle_at(&[2]).await;
    let name = format!("{ID}-shard-1");
    let old = fleet.leases.get(&name).await.unwrap();
    fleet.leases.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    let holder = eventually("the shard Lease to come back", DEADLINE, || async {
        let new = fleet.leases.get_opt(&name).await.unwrap().filter(|new| new.uid() != old.uid())?;
        new.spec?.holder_identity
    })
    .await;
    assert_eq!(holder, "nobody-before-it-expires");
    fleet.settle_at(&[2]).await;
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}
