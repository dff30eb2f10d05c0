//! Whether everything is as the users have asked for.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::condition;
use serde::de::DeserializeOwned;
use shard_router::ShardKey;

use crate::desired::{DesiredState, ExpectedResource};
use crate::harness::Harness;

const BUCKET: &str = "cache.example.com/bucket";
const MANAGER: &str = "memcached-operator";
const BETWEEN: Duration = Duration::from_secs(1);

/// Waits until everything is as asked for. The error says what is missing if it takes longer than `within`.
pub(crate) async fn reached(
    harness: &Harness,
    desired: &DesiredState,
    within: Duration,
) -> Result<(), String> {
    let started = Instant::now();
    loop {
        let missing = missing(harness, desired).await;
        if missing.is_empty() {
            return Ok(());
        }
        if started.elapsed() > within {
            return Err(format!(
                "{within:?} after the last fault {} things were not as asked for, the first being:\n{}",
                missing.len(),
                missing[..missing.len().min(20)].join("\n")
            ));
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// What is not as asked for, one line each.
async fn missing(harness: &Harness, desired: &DesiredState) -> Vec<String> {
    let lists = tokio::try_join!(
        by_name::<Memcached>(harness),
        by_name::<StatefulSet>(harness),
        by_name::<Service>(harness),
        by_name::<PodDisruptionBudget>(harness)
    );
    let (resources, sets, services, budgets) = match lists {
        Ok(lists) => lists,
        Err(error) => return vec![format!("the API server cannot be read: {error}")],
    };
    let mut missing = Vec::new();
    for name in resources.keys().filter(|name| !desired.existing.contains_key(*name)) {
        missing.push(format!("{name}: deleted, but still there"));
    }
    for name in sets.keys().chain(services.keys()).chain(budgets.keys()) {
        if !desired.existing.contains_key(name) {
            missing.push(format!("{name}: deleted, but a child is still there"));
        }
    }
    for (name, expected) in &desired.existing {
        let Some(resource) = resources.get(name) else {
            missing.push(format!("{name}: asked for, but not there"));
            continue;
        };
        let mut faults = of_resource(resource, expected);
        faults.extend(of_child(resource, sets.get(name)));
        faults.extend(of_child(resource, services.get(name)));
        faults.extend(of_child(resource, budgets.get(name)));
        faults.extend(sets.get(name).and_then(|set| of_servers(set, expected)));
        missing.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    missing
}

fn of_resource(resource: &Memcached, expected: &ExpectedResource) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |fine: bool, fault: &str| {
        if !fine {
            faults.push(fault.to_owned());
        }
    };
    let status = resource.status.clone().unwrap_or_default();
    let asked = (&resource.spec.replicas, &resource.spec.memory_limit_megabytes);
    check(resource.metadata.uid.as_ref() == Some(&expected.uid), "another uid than the one created");
    check(asked == (&expected.replicas, &expected.memory), "the spec is not what the users wrote");
    check(resource.metadata.deletion_timestamp.is_none(), "being deleted");
    check(
        status.observed_generation == resource.metadata.generation,
        "the newest generation is not observed",
    );
    let ready = format!("{0}/{0}", expected.replicas);
    check(status.ready == Some(ready), "not all servers are reported ready");
    let label = resource.labels().get(BUCKET).and_then(|bucket| bucket.parse::<u8>().ok());
    // There is no key label, so nothing need be recorded.
    let of_name = ShardKey::of(&resource.metadata, None).bucket().0;
    check(label == Some(status.bucket.unwrap_or(of_name)), "the bucket label is not that of its bucket");
    for (type_, wanted) in
        [("Ready", "True"), ("Available", "True"), ("Reconciling", "False"), ("Degraded", "False")]
    {
        let found = condition(&status.conditions, type_).map(|found| found.status.as_str());
        check(found == Some(wanted), &format!("{type_} is {found:?}"));
    }
    faults
}

/// What makes it this resource's child, applied by the operator.
fn of_child<K: Resource<DynamicType = ()>>(resource: &Memcached, child: Option<&K>) -> Vec<String> {
    let kind = K::kind(&());
    let Some(child) = child else { return vec![format!("no {kind}")] };
    let mut faults = Vec::new();
    let owner = child.owner_references().iter().find(|owner| owner.controller == Some(true));
    if owner.map(|owner| &owner.uid) != resource.metadata.uid.as_ref() {
        faults.push(format!("the {kind} belongs to another"));
    }
    if child.labels().get(BUCKET) != resource.labels().get(BUCKET) {
        faults.push(format!("the {kind} bears another bucket"));
    }
    let applied = |entry: &&_| -> bool { applied_by_operator(entry) };
    if child.managed_fields().iter().filter(applied).count() != 1 {
        faults.push(format!("the {kind} is not applied by {MANAGER}"));
    }
    faults
}

fn applied_by_operator(entry: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry) -> bool {
    let spec = entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:spec"].is_null());
    entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply") && spec
}

fn of_servers(set: &StatefulSet, expected: &ExpectedResource) -> Option<String> {
    let spec = set.spec.as_ref()?;
    let pod = spec.template.spec.as_ref()?;
    let args = pod.containers.first().and_then(|container| container.args.clone()).unwrap_or_default();
    let memory = args.iter().skip_while(|arg| *arg != "-m").nth(1);
    if spec.replicas != Some(expected.replicas) {
        return Some(format!(
            "the StatefulSet has {:?} replicas instead of {}",
            spec.replicas, expected.replicas
        ));
    }
    (memory != Some(&expected.memory.to_string()))
        .then(|| format!("the servers get {memory:?} MB instead of {}", expected.memory))
}

async fn by_name<K>(harness: &Harness) -> kube::Result<BTreeMap<String, K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(harness.client.clone(), harness.namespace);
    let list = api.list(&ListParams::default()).await?;
    let service = |name: &String| name == "kubernetes";
    let named = list.into_iter().map(|object| (object.name_any(), object));
    Ok(named.filter(|(name, _)| !service(name)).collect())
}
