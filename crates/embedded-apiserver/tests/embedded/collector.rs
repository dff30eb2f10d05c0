//! Garbage collection, which no control plane without a controller-manager does: so this is not compared with one.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::{api, create, server};

fn owned_by(name: &str, owner: &ConfigMap) -> Value {
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner.metadata.name, "uid": owner.metadata.uid,
        "blockOwnerDeletion": true,
    });
    json!({"metadata": {"name": name, "ownerReferences": [reference]}})
}

async fn names(maps: &Api<ConfigMap>) -> Vec<String> {
    let list = maps.list_metadata(&kube::api::ListParams::default()).await.expect("a list");
    list.items.into_iter().filter_map(|item| item.metadata.name).collect()
}

#[tokio::test]
async fn what_lost_its_owner_goes_and_takes_its_own_along() {
    let maps = api::<ConfigMap>(&server().with_garbage_collection());
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let child = create(&maps, owned_by("child", &owner)).await;
    create(&maps, owned_by("grandchild", &child)).await;
    create(&maps, json!({"metadata": {"name": "free"}})).await;
    maps.delete("owner", &DeleteParams::background()).await.expect("delete");
    assert_eq!(names(&maps).await, ["free"]);
}

#[tokio::test]
async fn an_owner_of_another_uid_is_none() {
    let maps = api::<ConfigMap>(&server().with_garbage_collection());
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    maps.delete("owner", &DeleteParams::default()).await.expect("delete");
    create(&maps, json!({"metadata": {"name": "owner"}})).await;
    create(&maps, owned_by("late", &owner)).await;
    assert_eq!(names(&maps).await, ["owner"]);
}

#[tokio::test]
async fn orphans_stay_and_a_foreground_deletion_waits_for_dependents() {
    let maps = api::<ConfigMap>(&server().with_garbage_collection());
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    create(&maps, owned_by("child", &owner)).await;
    maps.delete("owner", &DeleteParams::orphan()).await.expect("delete");
    assert_eq!(names(&maps).await, ["child"]);
    assert!(maps.get("child").await.expect("it stays").metadata.owner_references.is_none());

    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let mut held = owned_by("held", &owner);
    held["metadata"]["finalizers"] = json!(["a/b"]);
    create(&maps, held).await;
    maps.delete("owner", &DeleteParams::foreground()).await.expect("delete");
    assert_eq!(names(&maps).await, ["child", "held", "owner"]);
    let patch = kube::api::Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &kube::api::PatchParams::default(), &patch).await.expect("patch");
    assert_eq!(names(&maps).await, ["child"]);
}

#[tokio::test]
async fn a_namespace_goes_with_what_is_in_it() {
    let server = server().with_garbage_collection();
    let namespaces: Api<Namespace> = Api::all(server.client("default"));
    let maps = api::<ConfigMap>(&server);
    create(&maps, json!({"metadata": {"name": "a"}})).await;
    namespaces.delete("default", &DeleteParams::default()).await.expect("delete");
    assert!(namespaces.get_opt("default").await.expect("an answer").is_none());
    assert!(names(&maps).await.is_empty());
}
