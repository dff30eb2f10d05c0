//! What is reported.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube_testkit::{WorkloadStandIn, eventually};
use memcached_operator::crd::{Memcached, MemcachedStatus};
use memcached_operator::reconcile::MemcachedReconciler;
use memcached_operator::reconcile::status::condition;
use serde_json::json;
use shard_router::{Lenient, Reconciler as _};

use crate::support::harness;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn conditions_follow_the_servers() {
    let Some(harness) = harness("the API server stores statuses").await else { return };
    harness.create("fleet", json!({"replicas": 3})).await.expect("created");
    harness.reconcile("fleet").await.expect("reconciled");
    let status = harness.status("fleet").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=True Stalled=False Available=False Degraded=False");
    assert_eq!((status.ready.as_deref(), status.observed_generation), (Some("0/3"), Some(1)));

    let _servers = WorkloadStandIn::start_in(harness.client.clone(), harness.env.namespace(), Duration::ZERO);
    let sets = harness.api::<StatefulSet>();
    eventually("the servers to be ready", SOON, || async {
        let status = sets.get("fleet").await.ok()?.status?;
        (status.ready_replicas == Some(3)).then_some(())
    })
    .await;
    harness.reconcile("fleet").await.expect("reconciled");
    let status = harness.status("fleet").await;
    assert_eq!(summary(&status), "Ready=True Reconciling=False Stalled=False Available=True Degraded=False");
    assert_eq!((status.ready.as_deref(), status.ready_replicas), (Some("3/3"), 3));
    assert_eq!(status.image.as_deref(), Some("docker.io/library/memcached:1.6.39"));
}

#[tokio::test]
async fn the_routers_bucket_survives_every_status_write() {
    let Some(harness) = harness("the API server keeps field managers apart").await else { return };
    harness.create("stamped", json!({})).await.expect("created");
    let api = harness.api::<Memcached>();
    // The router writes once before the operator's first status, and once after it.
    let stamp = json!({"status": {"bucket": 17}});
    let router = PatchParams { field_manager: Some("shard-router".into()), ..PatchParams::default() };
    api.patch_status("stamped", &router, &Patch::Merge(&stamp)).await.expect("stamped");
    for replicas in [2, 3] {
        harness.change("stamped", json!({"replicas": replicas})).await.expect("changed");
        harness.reconcile("stamped").await.expect("reconciled");
        let status = harness.status("stamped").await;
        assert_eq!(status.bucket, Some(17));
        assert_eq!(status.ready, Some(format!("0/{replicas}")));
    }
    harness.create("stamped-late", json!({})).await.expect("created");
    harness.reconcile("stamped-late").await.expect("reconciled");
    api.patch_status("stamped-late", &router, &Patch::Merge(&stamp)).await.expect("stamped");
    harness.change("stamped-late", json!({"replicas": 4})).await.expect("changed");
    harness.reconcile("stamped-late").await.expect("reconciled");
    let status = harness.status("stamped-late").await;
    assert_eq!((status.bucket, status.ready.as_deref()), (Some(17), Some("0/4")));
}

#[tokio::test]
async fn an_invalid_spec_is_explained_and_waits() {
    let Some(harness) = harness("the API server stores statuses").await else { return };
    // Fine by the schema, which does not know abbreviated options.
    harness.create("odd", json!({"extraArgs": ["--thr=9"]})).await.expect("created");
    for _ in 0..2 {
        let action = harness.reconcile("odd").await.expect("no reason to try again");
        assert_eq!(action, kube::runtime::controller::Action::await_change());
    }
    let status = harness.status("odd").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=False Stalled=True Available=False Degraded=True");
    let degraded = condition(&status.conditions, "Degraded").expect("Degraded");
    assert_eq!(degraded.reason, "ValidationFailed");
    assert!(degraded.message.contains("--thr=9"), "{}", degraded.message);
    assert!(harness.api::<StatefulSet>().get_opt("odd").await.expect("asked").is_none());
    assert_eq!(harness.events("odd").await, ["ValidationFailed"], "told once");

    harness.change("odd", json!({"extraArgs": []})).await.expect("mended");
    harness.reconcile("odd").await.expect("reconciled");
    assert_eq!(harness.events("odd").await, ["ValidationFailed", "Created", "Recovered"]);
}

/// A fail-closed admission webhook whose server does not answer: the API server says 500, which is no refusal.
#[tokio::test]
async fn any_failure_that_happens_twice_in_a_row_is_told_and_so_is_its_end() {
    let Some(harness) = harness("the API server calls webhooks").await else { return };
    let namespace = harness.env.namespace();
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(harness.client.clone());
    let webhook = json!({
        "metadata": {"name": namespace},
        "webhooks": [{
            "name": "policy.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "timeoutSeconds": 1,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "clientConfig": {"url": "https://127.0.0.1:9/validate"},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["statefulsets"],
                       "operations": ["CREATE", "UPDATE"]}],
        }],
    });
    let webhook = serde_json::from_value(webhook).expect("a webhook");
    webhooks.create(&PostParams::default(), &webhook).await.expect("created");
    harness.create("hooked", json!({})).await.expect("created");
    eventually("the webhook to be in force", SOON, || async {
        harness.reconcile("hooked").await.err().map(|error| error.to_string())
    })
    .await;

    harness.reconcile_after("hooked", 1).await.expect_err("it fails again");
    let status = harness.status("hooked").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=True Stalled=False Available=False Degraded=True");
    for type_ in ["Ready", "Degraded"] {
        let condition = condition(&status.conditions, type_).expect(type_);
        assert!(condition.message.contains("failed calling webhook"), "{}", condition.message);
    }
    let version = harness.api::<Memcached>().get("hooked").await.expect("there").metadata.resource_version;
    harness.reconcile_after("hooked", 2).await.expect_err("it fails again");
    let again = harness.api::<Memcached>().get("hooked").await.expect("there").metadata.resource_version;
    assert_eq!(version, again, "the same failure is no news");

    webhooks.delete(namespace, &DeleteParams::default()).await.expect("deleted");
    eventually("the webhook to be gone", SOON, || async { harness.reconcile_after("hooked", 3).await.ok() })
        .await;
    assert!(summary(&harness.status("hooked").await).ends_with("Degraded=False"));
    let events = harness.events("hooked").await;
    assert_eq!(events.iter().filter(|reason| *reason == "ApplyFailed").count(), 1, "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("Recovered"));
}

/// To kstatus a resource without conditions is ready. So the first write comes before anything that may take long or fail.
#[tokio::test]
async fn a_resource_says_that_it_is_on_its_way_before_anything_else() {
    let Some(harness) = harness("the API server stores statuses").await else { return };
    harness.create("first", json!({"replicas": 2})).await.expect("created");
    // Its Service belongs to somebody else, so nothing is applied.
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "first"}, "spec": {"ports": [{"port": 1}]},
    }))
    .expect("a Service");
    harness.api::<Service>().create(&PostParams::default(), &service).await.expect("created");
    harness.reconcile("first").await.expect_err("refused");
    let status = harness.status("first").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=False Stalled=True Available=False Degraded=True");
    assert_eq!(status.observed_generation, Some(1));
}

fn summary(status: &MemcachedStatus) -> String {
    let all = status.conditions.iter().map(|condition| format!("{}={}", condition.type_, condition.status));
    all.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn what_cannot_be_decoded_says_so_and_recovers() {
    let Some(harness) = harness("the API server keeps field managers apart").await else { return };
    harness.create("odd-to-read", json!({})).await.expect("created");
    harness.reconcile("odd-to-read").await.expect("reconciled");
    // The CRD lets no such object through, so it is made odd on its way here.
    let seen = harness.api::<Memcached>().get("odd-to-read").await.expect("it is there");
    let mut raw = serde_json::to_value(&seen).expect("JSON");
    raw["spec"]["replicas"] = json!("two");
    let Ok(Lenient::<Memcached>::Undecodable(odd)) = serde_json::from_value(raw) else {
        panic!("it decodes")
    };
    let reconciler = MemcachedReconciler::new("tests_1");
    reconciler.report_undecodable(&odd, harness.client.clone()).await.expect("reported");
    let status = harness.status("odd-to-read").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=False Stalled=True Available=False Degraded=True");
    let stalled = condition(&status.conditions, "Stalled").expect("Stalled");
    assert_eq!(stalled.reason, "CannotBeDecoded");
    assert!(stalled.message.contains("spec.replicas"), "{}", stalled.message);
    assert_eq!(status.ready.as_deref(), Some("0/1"));
    let late = reconciler.report_undecodable(&odd, harness.client.clone()).await;
    assert!(matches!(late, Err(kube::Error::Api(answer)) if answer.code == 409), "an old version is refused");
    harness.reconcile("odd-to-read").await.expect("reconciled");
    let status = harness.status("odd-to-read").await;
    assert_eq!(summary(&status), "Ready=False Reconciling=True Stalled=False Available=False Degraded=False");
}
