//! The example operators: each does the same with kube-runtime alone and sharded.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

#[path = "../../examples/finalizer/plain.rs"]
mod finalizer_plain;
#[path = "../../examples/finalizer/sharded.rs"]
mod finalizer_sharded;
#[path = "../../examples/generator/plain.rs"]
mod generator_plain;
#[path = "../../examples/generator/sharded.rs"]
mod generator_sharded;
#[path = "../../examples/syncer/plain.rs"]
mod syncer_plain;
#[path = "../../examples/syncer/sharded.rs"]
mod syncer_sharded;

use std::{future::pending, path::Path};

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResourceExt as _, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::reflector::Lookup,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::harness::{Harness, NAMESPACE};

async fn define(harness: &Harness, definition: CustomResourceDefinition) {
    let definitions: Api<CustomResourceDefinition> = Api::all(harness.admin());
    definitions.create(&PostParams::default(), &definition).await.unwrap();
}

async fn create<K>(harness: &Harness, namespace: &str, object: Value) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Lookup<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(harness.admin(), namespace);
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    api
}

async fn content_follows(harness: &Harness) {
    let object = json!({"apiVersion": "examples.dev/v1", "kind": "Generator", "metadata": {"name": "g"}, "spec": {"content": "a"}});
    let generators = create::<generator_sharded::Generator>(harness, NAMESPACE, object).await;
    let config_maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for content in ["a", "b"] {
        let patch = Patch::Merge(json!({"spec": {"content": content}}));
        generators.patch("g", &PatchParams::default(), &patch).await.unwrap();
        let follows = || async {
            let config_map = config_maps.get_opt("g").await.unwrap();
            config_map.and_then(|it| it.data).is_some_and(|data| data["content"] == content)
        };
        harness.until("the ConfigMap to have the content", follows).await;
    }
    config_maps.delete("g", &DeleteParams::default()).await.unwrap();
    let is_back = || async { config_maps.get_opt("g").await.unwrap().is_some() };
    harness.until("a deleted ConfigMap to be created again", is_back).await;
}

#[tokio::test(start_paused = true)]
async fn a_generator_with_kube_runtime_alone() {
    let harness = Harness::new().await;
    define(&harness, generator_plain::Generator::crd()).await;
    let client = harness.admin();
    tokio::spawn(
        async move { generator_plain::run(client, pending()).await.map_err(|error| error.to_string()) },
    );
    content_follows(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_generator_sharded() {
    let harness = Harness::new().await;
    define(&harness, generator_sharded::Generator::crd()).await;
    for pod in ["op-0", "op-1"] {
        let (client, options) = (harness.admin(), harness.options(pod, 4));
        tokio::spawn(async move {
            generator_sharded::run(client, options, pending()).await.map_err(|error| error.to_string())
        });
    }
    content_follows(&harness).await;
}

async fn copy_follows(harness: &Harness) {
    let object = json!({"metadata": {"name": "tls"}, "data": {"key": "YQ=="}, "type": "Opaque"});
    let sources = create::<Secret>(harness, "sources", object).await;
    let object = json!({"apiVersion": "examples.dev/v1", "kind": "SecretCopy", "metadata": {"name": "tls"}, "spec": {"from": "sources"}});
    create::<syncer_sharded::SecretCopy>(harness, NAMESPACE, object).await;
    let copies: Api<Secret> = Api::namespaced(harness.admin(), NAMESPACE);
    for data in ["YQ==", "Yg=="] {
        let patch = Patch::Merge(json!({"data": {"key": data}}));
        sources.patch("tls", &PatchParams::default(), &patch).await.unwrap();
        let follows = || async {
            let copy = copies.get_opt("tls").await.unwrap();
            copy.is_some_and(|copy| serde_json::to_value(copy.data).unwrap()["key"] == data)
        };
        harness.until("the copy to have the data", follows).await;
    }
}

async fn with_namespace(name: &str) -> Harness {
    let harness = Harness::new().await;
    let namespaces: Api<Namespace> = Api::all(harness.admin());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    harness
}

#[tokio::test(start_paused = true)]
async fn a_syncer_with_kube_runtime_alone() {
    let harness = with_namespace("sources").await;
    define(&harness, syncer_plain::SecretCopy::crd()).await;
    let client = harness.admin();
    tokio::spawn(
        async move { syncer_plain::run(client, pending()).await.map_err(|error| error.to_string()) },
    );
    copy_follows(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_syncer_sharded() {
    let harness = with_namespace("sources").await;
    define(&harness, syncer_sharded::SecretCopy::crd()).await;
    for pod in ["op-0", "op-1"] {
        let (client, options) = (harness.admin(), harness.options(pod, 4));
        tokio::spawn(async move {
            syncer_sharded::run(client, options, pending()).await.map_err(|error| error.to_string())
        });
    }
    copy_follows(&harness).await;
}

async fn entry_is_removed(harness: &Harness) {
    let zone = create::<ConfigMap>(harness, "dns", json!({"metadata": {"name": "zone"}})).await;
    let object = json!({"apiVersion": "examples.dev/v1", "kind": "Record", "metadata": {"name": "www"}, "spec": {"address": "10.0.0.1"}});
    let records = create::<finalizer_sharded::Record>(harness, NAMESPACE, object).await;
    let entry = || async {
        let data = zone.get("zone").await.unwrap().data.unwrap_or_default();
        data.get("www.default").cloned()
    };
    harness.until("the entry", || async { entry().await.as_deref() == Some("10.0.0.1") }).await;
    records.delete("www", &DeleteParams::default()).await.unwrap();
    let is_gone = || async { records.get_opt("www").await.unwrap().is_none() };
    harness.until("the record to be deleted", is_gone).await;
    assert_eq!(entry().await, None, "the record is gone, and its entry is not");
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_with_kube_runtime_alone() {
    let harness = with_namespace("dns").await;
    define(&harness, finalizer_plain::Record::crd()).await;
    let client = harness.admin();
    tokio::spawn(
        async move { finalizer_plain::run(client, pending()).await.map_err(|error| error.to_string()) },
    );
    entry_is_removed(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_sharded() {
    let harness = with_namespace("dns").await;
    define(&harness, finalizer_sharded::Record::crd()).await;
    for pod in ["op-0", "op-1"] {
        let (client, options) = (harness.admin(), harness.options(pod, 4));
        tokio::spawn(async move {
            finalizer_sharded::run(client, options, pending()).await.map_err(|error| error.to_string())
        });
    }
    entry_is_removed(&harness).await;
}

/// What somebody writes who shards an operator: the book shows these differences.
#[test]
fn each_takes_fewer_than_25_new_lines() {
    for name in ["generator", "syncer", "finalizer"] {
        let read = |variant: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}/{variant}.rs"));
            std::fs::read_to_string(path).unwrap()
        };
        let (plain, sharded) = (read("plain"), read("sharded"));
        let mut left: Vec<&str> = plain.lines().collect();
        let is_new = |line: &&str| match left.iter().position(|there| there == line) {
            Some(at) => {
                left.remove(at);
                false
            }
            None => true,
        };
        let added = sharded.lines().filter(is_new).count();
        assert!(added < 25, "{name}: {added} lines are new");
    }
}
