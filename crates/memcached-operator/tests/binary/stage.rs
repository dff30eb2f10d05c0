//! An API server on which the operator is installed as `deploy/` says.

use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::gvk::GroupVersionKind;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, CustomResourceExt};
use kube_testkit::{Cluster, ClusterOptions, exclusive};
use memcached_operator::crd::Memcached;

/// The namespace that `deploy/rbac.yaml` makes.
pub(crate) const NAMESPACE: &str = "memcached-operator";
/// Long enough for anything that should happen at all.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// An API server of the test's own: Leases and rights are cluster-wide matters.
pub(crate) async fn stage(why: &str) -> Option<(Cluster, Client)> {
    stage_with(why, ClusterOptions::default()).await
}

/// The same, started with other options.
pub(crate) async fn stage_with(why: &str, options: ClusterOptions) -> Option<(Cluster, Client)> {
    let cluster = exclusive(why, options).await?;
    let client = cluster.admin();
    for file in [include_str!("../../../../deploy/crd.yaml"), include_str!("../../../../deploy/rbac.yaml")] {
        let documents: Vec<DynamicObject> = serde_saphyr::from_multiple(file).expect("YAML documents");
        for document in documents {
            apply(&client, document).await;
        }
    }
    let definitions = Api::all(client.clone());
    let established = await_condition(definitions, Memcached::crd_name(), is_crd_established());
    tokio::time::timeout(SOON, established).await.expect("established in time").expect("watched");
    Some((cluster, client))
}

async fn apply(client: &Client, object: DynamicObject) {
    let types = object.types.clone().expect("apiVersion and kind");
    let kind = GroupVersionKind::try_from(&types).expect("a group, a version and a kind");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.metadata.name.clone().expect("a name");
    let params = PatchParams::apply("tests").force();
    let applied = api.patch(&name, &params, &Patch::Apply(&object)).await;
    applied.unwrap_or_else(|error| panic!("{} {name} is not accepted: {error}", types.kind));
}
