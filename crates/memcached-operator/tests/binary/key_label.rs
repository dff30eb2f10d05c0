//! Resources that were sharded by a key label have a finalizer. It holds up nothing once the key label is switched off.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use kube_testkit::eventually;
use kube_testkit::guard::Exit;
use memcached_operator::crd::{Memcached, MemcachedSpec};

use crate::cluster::{NAMESPACE, SOON, start_cluster};
use crate::replica::Replica;

const FINALIZER: &str = "cache.example.com/shard-owner";
const SHARDS: &str = "--shards=2";
const KEYED: &str = "--shard-key-label=tenant";
/// Of resources made under the key label; their buckets by name are others.
const RESOURCES: usize = 3;

/// What `docs/operations.md` says of it, step by step.
#[tokio::test]
async fn deletions_of_resources_of_a_former_key_label_come_to_an_end() {
    let Some((cluster, client)) = start_cluster("finalizers hold up deletions there").await else { return };
    let fleets: Api<Memcached> = Api::default_namespaced(client.clone());
    let keyed = Replica::start(&cluster, "op-0", &[SHARDS, KEYED]);
    for number in 0..RESOURCES {
        create_keyed(&fleets, &format!("fleet-{number}")).await;
    }
    are_protected(&fleets, RESOURCES).await;

    // Without more ado it is refused, with the way to do it.
    let unkeyed = Replica::start(&cluster, "op-1", &[SHARDS]);
    let body = unkeyed.answers_readiness(503, "no shard key label").await;
    for phrase in ["start it with the shard key label tenant", "tell it to replace the committed one"] {
        assert!(body.contains(phrase), "{phrase:?} is missing in {body}");
    }
    end(keyed).await;
    end(unkeyed).await;
    delete_leases(&client).await;

    let unkeyed = Replica::start(&cluster, "op-2", &[SHARDS]);
    unkeyed.answers_readiness(200, "ready").await;
    // Their buckets stand, and so does what keeps their names taken.
    are_protected(&fleets, RESOURCES).await;
    fleets.delete("fleet-0", &DeleteParams::default()).await.expect("deleted");
    eventually("a deleted resource to be gone", SOON, || async {
        fleets.get_opt("fleet-0").await.ok()?.is_none().then_some(())
    })
    .await;
    // What the namespace controller does to a namespace that is being deleted.
    fleets
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .expect("all are deleted");
    eventually("what a deleted namespace contains to be gone", SOON, || async {
        fleets.list(&ListParams::default()).await.ok()?.items.is_empty().then_some(())
    })
    .await;
    end(unkeyed).await;
}

#[tokio::test]
async fn the_definition_can_be_deleted_after_the_key_label_is_switched_off() {
    let Some((cluster, client)) = start_cluster("the API server deletes what a definition defined").await
    else {
        return;
    };
    let fleets: Api<Memcached> = Api::default_namespaced(client.clone());
    let keyed = Replica::start(&cluster, "op-0", &[SHARDS, KEYED]);
    for number in 0..RESOURCES {
        create_keyed(&fleets, &format!("fleet-{number}")).await;
    }
    are_protected(&fleets, RESOURCES).await;
    end(keyed).await;
    delete_leases(&client).await;
    let unkeyed = Replica::start(&cluster, "op-1", &[SHARDS]);
    unkeyed.answers_readiness(200, "ready").await;

    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    definitions.delete(Memcached::crd_name(), &DeleteParams::default()).await.expect("deleted");
    eventually("the definition to be gone", SOON, || async {
        definitions.get_opt(Memcached::crd_name()).await.ok()?.is_none().then_some(())
    })
    .await;
    let body = unkeyed.answers_readiness(503, "is their custom resource definition installed?").await;
    assert!(body.contains("memcacheds.cache.example.com"), "{body}");
}

async fn create_keyed(fleets: &Api<Memcached>, name: &str) {
    let spec: MemcachedSpec = serde_json::from_value(serde_json::json!({"replicas": 1})).expect("a spec");
    let mut memcached = Memcached::new(name, spec);
    memcached.labels_mut().insert("tenant".into(), "blue".into());
    fleets.create(&PostParams::default(), &memcached).await.expect("created");
}

async fn are_protected(fleets: &Api<Memcached>, resources: usize) {
    eventually("every resource to have the finalizer", SOON, || async {
        let all = fleets.list(&ListParams::default()).await.ok()?;
        let protected = |it: &&Memcached| it.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        (all.iter().filter(protected).count() == resources).then_some(())
    })
    .await;
}

async fn end(mut replica: Replica) {
    replica.terminate();
    assert_eq!(replica.exit().await, Exit::Code(0), "{}", replica.log());
}

async fn delete_leases(client: &Client) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    leases.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deleted");
}
