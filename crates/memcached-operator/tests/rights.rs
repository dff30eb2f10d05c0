//! `deploy/rbac.yaml` grants what the router needs for what the operator declares.

use k8s_openapi::api::rbac::v1::PolicyRule;
use lease_core::{ElectionsOptions, Identity, LeaderElectionId};
use memcached_operator::crd::Memcached;
use memcached_operator::operator;
use memcached_operator::reconcile::MemcachedReconciler;
use serde_json::Value;
use shard_router::{Options, RequiredRights, ShardsConfigMap};

const MANIFEST: &str = include_str!("../../../deploy/rbac.yaml");

/// The rules of all objects of this kind in the manifest.
fn rules(kind: &str) -> Vec<PolicyRule> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).expect("YAML");
    let roles = objects.into_iter().filter(|object| object["kind"] == kind);
    roles
        .flat_map(|role| serde_json::from_value::<Vec<PolicyRule>>(role["rules"].clone()).expect("rules"))
        .collect()
}

#[tokio::test]
async fn the_manifest_grants_what_the_router_needs() {
    let id = LeaderElectionId::new("memcached.cache.example.com").expect("an ID");
    let identity = Identity::of_pod("p", "1").expect("an identity");
    let options = Options::for_crd::<Memcached>(ElectionsOptions::new(id, "operators", identity))
        .with_key_label("example.com/tenant".to_owned())
        .with_shards_config_map(ShardsConfigMap::new("memcached-operator", "memcached-operator-shards"));
    let config = kube::Config::new("http://127.0.0.1:9".parse().expect("an address"));
    let rights = operator(config, options, MemcachedReconciler::new("p_1")).required_rights();
    let none: [String; 0] = [];
    assert_eq!(RequiredRights::missing(&rights.resources, &rules("ClusterRole")), none);
    assert_eq!(RequiredRights::missing(&rights.election, &rules("Role")), none);
    assert_eq!(RequiredRights::missing(&rights.shards, &rules("Role")), none);
    assert_eq!(rights.resources.len(), 6, "the kind, its status, three owned types, and events");
    let without = rules("ClusterRole")
        .into_iter()
        .filter(|rule| !rule.resources.iter().flatten().any(|resource| resource == "services"));
    let without: Vec<_> = without.collect();
    assert_eq!(RequiredRights::missing(&rights.resources, &without).len(), 1, "the check can object");
}
