//! A child that is written without the bucket label is not seen by its shard. That is said, and nothing else stops.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use shard_router::{Action, Failure, Held, Metrics, Reconciler, ShardedApp, UnlabelledChild};

use crate::{
    blackhole::Blackhole,
    harness::{Harness, NAMESPACE},
    log::Log,
    widget::{LABEL, Widget, create},
};

/// What the reconciler writes on the child.
#[derive(Clone, Copy, Default)]
enum Label {
    #[default]
    Forgotten,
    OfAnother,
    Right,
}

/// Applies one child with or without the label.
#[derive(Clone, Default)]
struct Applies {
    label: Arc<Mutex<Label>>,
    reconciles: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<UnlabelledChild>>>,
}

impl Reconciler<Widget> for Applies {
    type Error = kube::Error;

    async fn reconcile(&self, widget: Arc<Widget>, held: Held) -> Result<Action, kube::Error> {
        let mut child = ConfigMap::default();
        child.metadata.name = Some("child".into());
        child.metadata.owner_references = widget.owner_ref(&()).map(|owner| vec![owner]);
        child.data = Some(BTreeMap::from([("size".into(), widget.spec.size.to_string())]));
        let label = *self.label.lock();
        match label {
            Label::Forgotten => {}
            Label::OfAnother => {
                child
                    .labels_mut()
                    .insert(LABEL.into(), (held.bucket().unwrap().0.wrapping_add(1)).to_string());
            }
            Label::Right => held.label_child(&mut child.metadata),
        }
        let children: Api<ConfigMap> = Api::namespaced(held.client(), NAMESPACE);
        children.patch("child", &PatchParams::apply("test").force(), &Patch::Apply(&child)).await?;
        self.reconciles.fetch_add(1, Ordering::Relaxed);
        Ok(Action::await_change())
    }

    fn after_failure(&self, _: &Widget, failure: &Failure<kube::Error>, _: u32, _: Duration) -> Action {
        if let Failure::UnlabelledChild(child) = failure {
            self.failures.lock().push(child.clone());
        }
        // Far from what this test waits for.
        Action::requeue(Duration::from_secs(3600))
    }
}

async fn resized(harness: &Harness, size: i32, applies: &Applies) {
    let before = applies.reconciles.load(Ordering::Relaxed);
    let patch = Patch::Merge(json!({"spec": {"size": size}}));
    harness.widgets.patch("one", &PatchParams::default(), &patch).await.unwrap();
    let again = || async { applies.reconciles.load(Ordering::Relaxed) > before };
    harness.until("the widget to be reconciled again", again).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_said_and_the_reconcile_is_repeated() {
    let harness = Harness::new().await;
    create(&harness.widgets, "one", &[]).await;
    let (log, _guard) = Log::capture();
    let mut registry = Registry::default();
    let network = Blackhole::before(harness.server().service());
    let mut options = harness.options("op-0", 2);
    options.resync = None;
    let app = ShardedApp::new(kube::Client::new(network.clone(), NAMESPACE), options);
    let mut app = app.metrics(Metrics::register(&mut registry));
    let applies = Applies::default();
    app.controller::<Widget>().owns::<ConfigMap>().run(applies.clone());
    let _replica = Harness::spawn(network, app);
    harness.until("a failure", || async { applies.failures.lock().len() == 1 }).await;
    let without = UnlabelledChild {
        resource: "configmaps".into(),
        name: "default/child".into(),
        label: LABEL.into(),
        found: None,
    };
    assert_eq!(*applies.failures.lock(), std::slice::from_ref(&without));
    let sentence = format!("a child of default/one is not watched: {without}");
    assert_eq!(log.count(&sentence), 1, "{}", log.text());
    assert!(
        without.to_string().contains(
            "configmaps default/child was written without the label test.shard-router.dev/bucket, so"
        )
    );

    // No watch shows the write of the child, and nothing waits for it.
    resized(&harness, 2, &applies).await;
    assert_eq!(log.count(&sentence), 1, "said once a minute");
    *applies.label.lock() = Label::OfAnother;
    resized(&harness, 3, &applies).await;
    let last = applies.failures.lock().last().cloned().unwrap();
    assert!(
        last.found.is_some() && last.to_string().contains("which is not the bucket of its owner"),
        "{last}"
    );
    // A child with the label of another bucket may be watched by this shard, and trigger once more.
    harness.clock.sleep(Duration::from_secs(5)).await;
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let written = applies.failures.lock().len();
    let series = format!(
        "shard_router_unlabelled_children_total{{kind=\"Widget.test.shard-router.dev\"}} {written}\n"
    );
    assert!(text.contains(&series), "{written} writes: {text}");

    let failures = applies.failures.lock().len();
    *applies.label.lock() = Label::Right;
    resized(&harness, 4, &applies).await;
    harness.clock.sleep(Duration::from_secs(5)).await;
    assert_eq!(applies.failures.lock().len(), failures, "the label is there");
}
