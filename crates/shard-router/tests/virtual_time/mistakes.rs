//! Mistakes that any user makes: each is told in a sentence, by a replica that is not ready.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{convert::Infallible, sync::Arc};

use k8s_openapi::{
    api::coordination::v1::Lease,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResourceExt, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use shard_router::{Action, Held, Readiness, ReadinessProbe};

use crate::{
    stage::{ID, NAMESPACE, Replica, Stage},
    widget::{LABEL, Widget, create},
};

fn start(stage: &Stage, pod: &str) -> (Replica, ReadinessProbe) {
    let controller = stage.controller(stage.options(pod, 2));
    let readiness = controller.1.readiness();
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    (Stage::run(controller, reconcile), readiness)
}

async fn unready_because(stage: &Stage, readiness: &ReadinessProbe, part: &str) {
    let says =
        || async { matches!(readiness.get(), Readiness::NotReady { because } if because.contains(part)) };
    stage.until(&format!("a replica to be not ready because of {part:?}"), says).await;
}

/// A replica that finds this definition, and a widget.
async fn tells(definition: &CustomResourceDefinition, part: &str) {
    let stage = Stage::defining(definition).await;
    create(&stage.widgets, "one", &[]).await;
    let (_replica, readiness) = start(&stage, "op-0");
    unready_because(&stage, &readiness, part).await;
    let widget = stage.widgets.get("one").await.unwrap();
    assert!(!widget.labels().contains_key(LABEL), "a label without a record selects what nobody reconciles");
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_status_bucket_is_named() {
    let mut definition = Widget::crd();
    let schema = definition.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
    schema.x_kubernetes_validations = None;
    let status = schema.properties.as_mut().unwrap().get_mut("status").unwrap();
    status.properties.as_mut().unwrap().remove("bucket").unwrap();
    tells(
        &definition,
        "widgets.test.shard-router.dev of version v1 cannot be sharded, and nobody reconciles",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_a_status_subresource_is_named() {
    let mut definition = Widget::crd();
    definition.spec.versions[0].subresources = None;
    tells(&definition, "there is no status subresource; add").await;
}

#[tokio::test(start_paused = true)]
async fn another_kind_under_the_same_id_is_refused_and_an_old_layout_is_completed() {
    let stage = Stage::new().await;
    let (_replica, readiness) = start(&stage, "op-0");
    stage.until("a replica to be ready", || async { readiness.get() == Readiness::Ready }).await;
    let leases: Api<Lease> = Api::namespaced(stage.admin(), NAMESPACE);
    let kind = || async {
        let lease = leases.get(ID).await.ok()?;
        let layout = lease.annotations().get("test.shard-router.dev/layout")?;
        serde_json::from_str::<serde_json::Value>(layout).ok()?.get("kind").cloned()
    };
    stage
        .until("the kind to be recorded", || async {
            kind().await == Some(json!("Widget.test.shard-router.dev"))
        })
        .await;

    let write = |kind: Option<&str>| {
        let mut layout = json!({"generation": 1, "shards": 2, "hashVersion": 1, "settled": true});
        if let Some(kind) = kind {
            layout["kind"] = json!(kind);
        }
        let patch =
            json!({"metadata": {"annotations": {"test.shard-router.dev/layout": layout.to_string()}}});
        let leases = leases.clone();
        async move { leases.patch(ID, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap() }
    };
    write(Some("Gadget.test.shard-router.dev")).await;
    unready_because(&stage, &readiness, "is in use for Gadget.test.shard-router.dev").await;
    write(None).await;
    stage.until("a replica to be ready again", || async { readiness.get() == Readiness::Ready }).await;
    stage.until("the kind to be completed", || async { kind().await.is_some() }).await;
}
