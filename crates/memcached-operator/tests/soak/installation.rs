//! The committed definition and the committed rights, for users instead of a service account.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams, TypeMeta};
use kube::core::GroupVersionKind;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, CustomResourceExt as _, ResourceExt as _, discovery};
use memcached_operator::crd::Memcached;
use serde_json::json;

/// The group of all replicas' users.
pub(crate) const GROUP: &str = "memcached-operators";

const CRD: &str = include_str!("../../../../deploy/crd.yaml");
const RBAC: &str = include_str!("../../../../deploy/rbac.yaml");

/// Installs `deploy/crd.yaml`, and `deploy/rbac.yaml` with its bindings turned to [`GROUP`] and its election in
/// `namespace`.
pub(crate) async fn install(client: &Client, namespace: &str) {
    for document in documents(CRD).into_iter().chain(documents(RBAC)) {
        apply(client, namespace, document).await;
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let established = await_condition(definitions, Memcached::crd_name(), is_crd_established());
    tokio::time::timeout(std::time::Duration::from_secs(30), established)
        .await
        .expect("the definition is established in time")
        .expect("the definition can be watched");
}

fn documents(yaml: &str) -> Vec<DynamicObject> {
    serde_saphyr::from_multiple(yaml).expect("the committed manifest is one")
}

async fn apply(client: &Client, namespace: &str, mut object: DynamicObject) {
    let TypeMeta { api_version, kind } = object.types.clone().expect("each document has a kind");
    if ["Namespace", "ServiceAccount"].contains(&kind.as_str()) {
        return;
    }
    if kind.ends_with("Binding") {
        let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP});
        object.data["subjects"] = json!([group]);
    }
    if object.metadata.namespace.is_some() {
        object.metadata.namespace = Some(namespace.to_owned());
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let (resource, _) = discovery::pinned_kind(client, &GroupVersionKind::gvk(group, version, &kind))
        .await
        .unwrap_or_else(|error| panic!("{kind} is no kind of this API server: {error}"));
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.name_any();
    let applied = api.patch(&name, &PatchParams::apply("soak").force(), &Patch::Apply(&object)).await;
    applied.unwrap_or_else(|error| panic!("{kind} {name} could not be applied: {error}"));
}
