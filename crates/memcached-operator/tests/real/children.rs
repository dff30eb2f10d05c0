//! Children: made, mended, left alone.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::{DEGRADED, condition};
use serde_json::json;

use crate::support::{Harness, harness};

#[tokio::test]
async fn children_are_made_and_then_left_alone() {
    let Some(harness) = harness("the API server merges what is applied").await else { return };
    let memcached = harness.create("sessions", json!({"replicas": 3})).await.expect("created");
    harness.reconcile("sessions").await.expect("reconciled");
    let before = versions(&harness, "sessions").await;
    let set: StatefulSet = harness.api().get("sessions").await.expect("a StatefulSet");
    let service: Service = harness.api().get("sessions").await.expect("a Service");
    let budget: PodDisruptionBudget = harness.api().get("sessions").await.expect("a PodDisruptionBudget");
    for meta in [set.meta(), service.meta(), budget.meta()] {
        let owner = &meta.owner_references.as_ref().expect("an owner")[0];
        assert_eq!((Some(&owner.uid), owner.controller), (memcached.metadata.uid.as_ref(), Some(true)));
        assert_eq!(meta.labels.as_ref().expect("labels")["cache.example.com/bucket"], "17");
    }
    for _ in 0..3 {
        harness.reconcile("sessions").await.expect("reconciled again");
    }
    assert_eq!(versions(&harness, "sessions").await, before, "a resync writes nothing");
    assert_eq!(harness.events("sessions").await, ["Created"], "and tells nothing");
}

#[tokio::test]
async fn drift_is_healed_and_what_others_add_is_kept() {
    let Some(harness) = harness("the API server merges what is applied").await else { return };
    harness.create("drifting", json!({"replicas": 3})).await.expect("created");
    harness.reconcile("drifting").await.expect("reconciled");
    let drift = json!({
        "metadata": {"annotations": {"example.com/note": "kept"}, "labels": {"cache.example.com/bucket": "99"}},
        "spec": {"replicas": 1, "template": {"spec": {"terminationGracePeriodSeconds": 77}}},
    });
    let sets = harness.api::<StatefulSet>();
    sets.patch("drifting", &PatchParams::default(), &Patch::Merge(&drift)).await.expect("drifted");
    harness.api::<Service>().delete("drifting", &DeleteParams::default()).await.expect("deleted");

    harness.reconcile("drifting").await.expect("reconciled");
    let set = sets.get("drifting").await.expect("there");
    let spec = set.spec.clone().expect("a spec");
    assert_eq!(spec.replicas, Some(3));
    assert_eq!(spec.template.spec.expect("a pod").termination_grace_period_seconds, Some(10));
    assert_eq!(set.labels()["cache.example.com/bucket"], "17");
    assert_eq!(set.annotations()["example.com/note"], "kept");
    assert!(
        harness.api::<Service>().get_opt("drifting").await.expect("asked").is_some(),
        "the Service is back"
    );
    assert_eq!(harness.events("drifting").await, ["Created", "Created", "DriftHealed"]);
}

#[tokio::test]
async fn a_change_of_memory_rolls_the_pods() {
    let Some(harness) = harness("the API server counts generations").await else { return };
    harness.create("growing", json!({})).await.expect("created");
    harness.reconcile("growing").await.expect("reconciled");
    harness.change("growing", json!({"memoryLimitMegabytes": 1024})).await.expect("changed");
    harness.reconcile("growing").await.expect("reconciled");
    let set = harness.api::<StatefulSet>().get("growing").await.expect("there");
    assert_eq!(set.metadata.generation, Some(2));
    let pod = set.spec.and_then(|spec| spec.template.spec).expect("a pod");
    let container = &pod.containers[0];
    assert_eq!(container.args.as_ref().expect("arguments")[..2], ["-m", "1024"]);
    let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref()).expect("limits");
    assert_eq!(limits["memory"].0, "1180Mi");
    assert_eq!(harness.events("growing").await, ["Created", "Updated"]);
}

#[tokio::test]
async fn a_strangers_object_is_not_taken_over() {
    let Some(harness) = harness("the API server keeps a stranger's object").await else { return };
    let stranger: Service = serde_json::from_value(json!({
        "metadata": {"name": "taken"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "other"}},
    }))
    .expect("a Service");
    harness.api::<Service>().create(&PostParams::default(), &stranger).await.expect("created");
    harness.create("taken", json!({})).await.expect("created");
    let error = harness.reconcile("taken").await.expect_err("refused").to_string();
    assert!(error.contains("does not belong to this Memcached"), "{error}");
    let service = harness.api::<Service>().get("taken").await.expect("there");
    assert_eq!(service.spec.and_then(|spec| spec.selector).expect("a selector")["app"], "other");
    let status = harness.status("taken").await;
    let degraded = condition(&status.conditions, DEGRADED).expect("Degraded");
    assert_eq!((degraded.status.as_str(), degraded.reason.as_str()), ("True", "ApplyFailed"));
    assert!(harness.api::<StatefulSet>().get_opt("taken").await.expect("asked").is_none());
    let _ = harness.reconcile("taken").await;
    assert_eq!(harness.events("taken").await, ["ApplyFailed"], "told once");
}

/// A server of another make beside it, with the labels that many charts use and the same instance.
#[tokio::test]
async fn a_pod_of_another_chart_is_none_of_its_servers() {
    let Some(harness) = harness("the API server matches labels").await else { return };
    let labels = json!({
        "app.kubernetes.io/name": "memcached", "app.kubernetes.io/instance": "mixed", "app.kubernetes.io/managed-by": "Helm",
    });
    let pod = json!({
        "metadata": {"name": "mixed-memcached-0", "labels": labels},
        "spec": {"containers": [{"name": "m", "image": "example.com/memcached:1"}]},
    });
    let pods = harness.api::<Pod>();
    pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a Pod")).await.expect("created");
    harness.create("mixed", json!({})).await.expect("created");
    harness.reconcile("mixed").await.expect("reconciled");
    let service = harness.api::<Service>().get("mixed").await.expect("there").spec.expect("a spec").selector;
    let budget = harness
        .api::<PodDisruptionBudget>()
        .get("mixed")
        .await
        .expect("there")
        .spec
        .expect("a spec")
        .selector;
    let set = harness.api::<StatefulSet>().get("mixed").await.expect("there").spec.expect("a spec").selector;
    let status = harness.status("mixed").await.selector.expect("a selector");
    let of = |labels: std::collections::BTreeMap<String, String>| {
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    let selectors = [
        of(service.expect("labels")),
        of(budget.expect("a selector").match_labels.expect("labels")),
        of(set.match_labels.expect("labels")),
        status,
    ];
    for selector in selectors {
        let found = pods.list(&ListParams::default().labels(&selector)).await.expect("listed");
        assert_eq!(found.items.len(), 0, "{selector} finds another's Pod");
    }
}

#[tokio::test]
async fn a_selector_of_before_is_told_and_nothing_is_changed() {
    let Some(harness) = harness("the API server lets no selector be changed").await else { return };
    harness.create("older", json!({})).await.expect("created");
    harness.reconcile("older").await.expect("reconciled");
    let sets = harness.api::<StatefulSet>();
    let mut older = sets.get("older").await.expect("there");
    sets.delete("older", &DeleteParams::default()).await.expect("deleted");
    let labels = json!({"app.kubernetes.io/name": "memcached", "app.kubernetes.io/instance": "older"});
    let spec = older.spec.as_mut().expect("a spec");
    spec.selector.match_labels = serde_json::from_value(labels).expect("labels");
    (older.metadata.uid, older.metadata.resource_version, older.metadata.managed_fields) = (None, None, None);
    sets.create(&PostParams::default(), &older).await.expect("made as before");
    let error = harness.reconcile("older").await.expect_err("it needs a person").to_string();
    assert!(error.contains("delete it, and it is created again"), "{error}");
    let conditions = harness.status("older").await.conditions;
    let stalled = condition(&conditions, "Stalled").expect("Stalled");
    assert!(stalled.status == "True" && stalled.message.contains("delete it"), "{stalled:?}");
}

#[tokio::test]
async fn a_resource_that_goes_is_let_go() {
    let Some(harness) = harness("the API server deletes").await else { return };
    harness.create("leaving", json!({})).await.expect("created");
    let api = harness.api::<Memcached>();
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    api.patch("leaving", &PatchParams::default(), &Patch::Merge(&hold)).await.expect("held");
    api.delete("leaving", &DeleteParams::default()).await.expect("deleted");
    harness.reconcile("leaving").await.expect("nothing to do");
    assert!(harness.api::<StatefulSet>().get_opt("leaving").await.expect("asked").is_none());
    let conditions = harness.status("leaving").await.conditions;
    assert_eq!(conditions.iter().map(|condition| condition.reason.as_str()).collect::<Vec<_>>(), ["Pending"]);
    let free = json!({"metadata": {"finalizers": null}});
    api.patch("leaving", &PatchParams::default(), &Patch::Merge(&free)).await.expect("freed");
}

#[tokio::test]
async fn a_namesake_gets_neither_status_nor_children_of_its_predecessor() {
    let Some(harness) = harness("the API server compares uids").await else { return };
    let old = harness.create("again", json!({"replicas": 9})).await.expect("created");
    harness.reconcile("again").await.expect("reconciled");
    harness.api::<Memcached>().delete("again", &DeleteParams::default()).await.expect("deleted");
    harness.create("again", json!({"replicas": 2})).await.expect("created again");

    // The view of yesterday.
    harness.reconcile_as_seen(&old).await.expect("moot");
    assert_eq!(harness.status("again").await.observed_generation, None, "the namesake's status is untouched");

    // No garbage collector runs here: the predecessor's children are still there, and are waited for.
    let error = harness.reconcile("again").await.expect_err("has to wait").to_string();
    assert!(error.contains("still belongs to a deleted Memcached"), "{error}");
    harness.api::<StatefulSet>().delete("again", &DeleteParams::default()).await.expect("collected");
    harness.api::<Service>().delete("again", &DeleteParams::default()).await.expect("collected");
    harness.api::<PodDisruptionBudget>().delete("again", &DeleteParams::default()).await.expect("collected");
    harness.reconcile("again").await.expect("reconciled");
    let set = harness.api::<StatefulSet>().get("again").await.expect("there");
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(2));
}

/// Versions of the resource and of its children.
async fn versions(harness: &Harness, name: &str) -> [Option<String>; 4] {
    [
        harness.api::<Memcached>().get(name).await.expect("there").resource_version(),
        harness.api::<StatefulSet>().get(name).await.expect("there").resource_version(),
        harness.api::<Service>().get(name).await.expect("there").resource_version(),
        harness.api::<PodDisruptionBudget>().get(name).await.expect("there").resource_version(),
    ]
}
