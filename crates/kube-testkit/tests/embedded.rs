//! The API server in memory, as tests of users take it: on a machine without Kubernetes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::{Api, Client};
use kube_testkit::{BackendChoice, embedded, eventually};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let object = serde_json::from_value(object).expect("an object of this kind");
    api.create(&PostParams::default(), &object).await.expect("it is created")
}

#[tokio::test]
async fn each_test_has_a_namespace_on_a_server_that_needs_nothing() {
    let (one, other) = (embedded().await, embedded().await);
    assert_eq!(one.backend(), BackendChoice::Embedded);
    assert_eq!(one.server(), other.server(), "it is shared");
    assert_ne!(one.namespace(), other.namespace());
    let deployments: Api<Deployment> = Api::namespaced(one.admin(), one.namespace());
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
    let made = create(&deployments, json!({"metadata": {"name": "d"}, "spec": spec})).await;
    assert_eq!(made.metadata.generation, Some(1), "the server fills in what a real one does");
}

#[tokio::test]
async fn a_definition_adds_a_kind_and_what_it_owns_goes_with_it() {
    let env = embedded().await;
    define(&env.admin()).await;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Site"));
    let sites: Api<DynamicObject> = Api::namespaced_with(env.admin(), env.namespace(), &kind);
    let mut site = DynamicObject::new("s", &kind);
    site.data = json!({"spec": {"pages": 3}});
    let site = sites.create(&PostParams::default(), &site).await.expect("the kind is served");
    let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    let owner =
        json!({"apiVersion": "example.com/v1", "kind": "Site", "name": "s", "uid": site.metadata.uid});
    create(&maps, json!({"metadata": {"name": "owned", "ownerReferences": [owner]}})).await;
    sites.delete("s", &kube::api::DeleteParams::default()).await.expect("it is deleted");
    let gone = async || maps.get_opt("owned").await.expect("it answers").is_none().then_some(());
    eventually("what the Site owned to be collected", DEADLINE, gone).await;
}

async fn define(client: &Client) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
    ));
    let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"pages": {"type": "integer"}}},
    }});
    let version =
        json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    let mut definition = DynamicObject::new("sites.example.com", &kind);
    definition.data = json!({"spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "sites", "kind": "Site"}, "versions": [version],
    }});
    definitions.create(&PostParams::default(), &definition).await.expect("it is defined");
}
