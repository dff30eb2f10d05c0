//! What is reported.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use kube_testkit::{WorkloadStandIn, eventually};
use memcached_operator::crd::{Memcached, MemcachedStatus};
use memcached_operator::reconcile::status::condition;
use serde_json::json;

use crate::support::stage;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn conditions_follow_the_servers() {
    let Some(stage) = stage("the API server stores statuses").await else { return };
    stage.create("fleet", json!({"replicas": 3})).await.expect("created");
    stage.reconcile("fleet").await.expect("reconciled");
    let status = stage.status("fleet").await;
    assert_eq!(summary(&status), "Available=False Progressing=True Degraded=False");
    assert_eq!((status.ready.as_deref(), status.observed_generation), (Some("0/3"), Some(1)));

    let _servers = WorkloadStandIn::start_in(stage.client.clone(), stage.env.namespace(), Duration::ZERO);
    let sets = stage.api::<StatefulSet>();
    eventually("the servers to be ready", SOON, || async {
        let status = sets.get("fleet").await.ok()?.status?;
        (status.ready_replicas == Some(3)).then_some(())
    })
    .await;
    stage.reconcile("fleet").await.expect("reconciled");
    let status = stage.status("fleet").await;
    assert_eq!(summary(&status), "Available=True Progressing=False Degraded=False");
    assert_eq!((status.ready.as_deref(), status.ready_replicas), (Some("3/3"), 3));
    assert_eq!(status.image.as_deref(), Some("docker.io/library/memcached:1.6.39"));
}

#[tokio::test]
async fn the_routers_bucket_survives_every_status_write() {
    let Some(stage) = stage("the API server keeps field managers apart").await else { return };
    stage.create("stamped", json!({})).await.expect("created");
    let api = stage.api::<Memcached>();
    // The router writes once before the operator's first status, and once after it.
    let stamp = json!({"status": {"bucket": 17}});
    let router = PatchParams { field_manager: Some("shard-router".into()), ..PatchParams::default() };
    api.patch_status("stamped", &router, &Patch::Merge(&stamp)).await.expect("stamped");
    for replicas in [2, 3] {
        stage.change("stamped", json!({"replicas": replicas})).await.expect("changed");
        stage.reconcile("stamped").await.expect("reconciled");
        let status = stage.status("stamped").await;
        assert_eq!(status.bucket, Some(17));
        assert_eq!(status.ready, Some(format!("0/{replicas}")));
    }
    stage.create("stamped-late", json!({})).await.expect("created");
    stage.reconcile("stamped-late").await.expect("reconciled");
    api.patch_status("stamped-late", &router, &Patch::Merge(&stamp)).await.expect("stamped");
    stage.change("stamped-late", json!({"replicas": 4})).await.expect("changed");
    stage.reconcile("stamped-late").await.expect("reconciled");
    let status = stage.status("stamped-late").await;
    assert_eq!((status.bucket, status.ready.as_deref()), (Some(17), Some("0/4")));
}

#[tokio::test]
async fn an_invalid_spec_is_explained_and_waits() {
    let Some(stage) = stage("the API server stores statuses").await else { return };
    // Fine by the schema, which does not know abbreviated options.
    stage.create("odd", json!({"extraArgs": ["--thr=9"]})).await.expect("created");
    for _ in 0..2 {
        let action = stage.reconcile("odd").await.expect("no reason to try again");
        assert_eq!(action, kube::runtime::controller::Action::await_change());
    }
    let status = stage.status("odd").await;
    assert_eq!(summary(&status), "Available=False Progressing=False Degraded=True");
    let degraded = condition(&status.conditions, "Degraded").expect("Degraded");
    assert_eq!(degraded.reason, "ValidationFailed");
    assert!(degraded.message.contains("--thr=9"), "{}", degraded.message);
    assert!(stage.api::<StatefulSet>().get_opt("odd").await.expect("asked").is_none());
    assert_eq!(stage.events("odd").await, ["ValidationFailed"], "told once");

    stage.change("odd", json!({"extraArgs": []})).await.expect("mended");
    stage.reconcile("odd").await.expect("reconciled");
    assert_eq!(stage.events("odd").await, ["ValidationFailed", "Created", "Recovered"]);
}

fn summary(status: &MemcachedStatus) -> String {
    let all = status.conditions.iter().map(|condition| format!("{}={}", condition.type_, condition.status));
    all.collect::<Vec<_>>().join(" ")
}
