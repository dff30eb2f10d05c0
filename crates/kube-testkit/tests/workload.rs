//! The stand-in for StatefulSet readiness.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube_testkit::{WorkloadStandIn, eventually};

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_stateful_set_becomes_ready_and_follows_its_scale() {
    let Some(env) = kube_testkit::real("it serves StatefulSets").await else { return };
    let _stand_in = WorkloadStandIn::start_in(env.admin(), env.namespace(), Duration::from_millis(50));
    let sets: Api<StatefulSet> = Api::namespaced(env.admin(), env.namespace());
    let set: StatefulSet = serde_json::from_value(serde_json::json!({
        "metadata": { "name": "cache" },
        "spec": {
            "replicas": 3,
            "serviceName": "cache",
            "selector": { "matchLabels": { "app": "cache" } },
            "template": {
                "metadata": { "labels": { "app": "cache" } },
                "spec": { "containers": [{ "name": "cache", "image": "cache" }] },
            },
        },
    }))
    .expect("a StatefulSet");
    sets.create(&PostParams::default(), &set).await.expect("create");
    eventually("three ready replicas", DEADLINE, || ready(&sets, 3, 1)).await;
    let scale = serde_json::json!({ "spec": { "replicas": 5 } });
    sets.patch("cache", &PatchParams::default(), &Patch::Merge(&scale)).await.expect("scale");
    eventually("five ready replicas", DEADLINE, || ready(&sets, 5, 2)).await;
}

async fn ready(sets: &Api<StatefulSet>, replicas: i32, generation: i64) -> Option<()> {
    let status = sets.get_status("cache").await.ok()?.status?;
    let ready = status.ready_replicas == Some(replicas) && status.observed_generation == Some(generation);
    ready.then_some(())
}
