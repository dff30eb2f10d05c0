//! Mistakes that any user makes: each is told in a sentence, by a replica that is not ready.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::ConfigMap},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResource, CustomResourceExt, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shard_router::{Action, Held, Readiness, ReadinessProbe, ShardKey, Sharded, ShardedApp};

use crate::{
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::{LABEL, Widget, create},
};

fn start(harness: &Harness, pod: &str) -> (Replica, ReadinessProbe) {
    let app = harness.app(harness.options(pod, 2));
    let readiness = app.1.readiness();
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    (Harness::run(app, reconcile), readiness)
}

async fn unready_because(harness: &Harness, readiness: &ReadinessProbe, part: &str) {
    let says =
        || async { matches!(readiness.get(), Readiness::NotReady { because } if because.contains(part)) };
    harness.until(&format!("a replica to be not ready because of {part:?}"), says).await;
}

/// A replica with a key label that finds this definition, and a widget. Without a key label the same definition is fine.
async fn needs_a_record(definition: &CustomResourceDefinition, part: &str) {
    let harness = Harness::defining(definition).await;
    create(&harness.widgets, "one", &[("tenant", "blue")]).await;
    let mut options = harness.options("op-0", 2);
    options.key_label = Some("tenant".into());
    let app = harness.app(options);
    let readiness = app.1.readiness();
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let _replica = Harness::run(app, reconcile);
    unready_because(
        &harness,
        &readiness,
        "widgets.test.shard-router.dev of version v1 cannot be sharded by the key label tenant",
    )
    .await;
    unready_because(&harness, &readiness, part).await;
    let widget = harness.widgets.get("one").await.unwrap();
    assert!(!widget.labels().contains_key(LABEL), "a label without a record selects what nobody reconciles");

    let harness = Harness::defining(definition).await;
    create(&harness.widgets, "one", &[("tenant", "blue")]).await;
    let reconciled = Arc::new(Mutex::new(None));
    let seen = reconciled.clone();
    let _replica = harness.start(harness.options("op-0", 2), move |widget: Arc<Widget>, held: Held| {
        *seen.lock().unwrap() = Some((held.bucket(), ShardKey::of(widget.meta(), None).bucket()));
        async { Ok::<_, Infallible>(Action::await_change()) }
    });
    harness.until("the widget to be reconciled", || async { reconciled.lock().unwrap().is_some() }).await;
    let (bucket, of_name) = reconciled.lock().unwrap().unwrap();
    assert_eq!(bucket, Some(of_name));
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_status_bucket_refuses_a_key_label() {
    let mut definition = Widget::crd();
    let schema = definition.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
    schema.x_kubernetes_validations = None;
    let status = schema.properties.as_mut().unwrap().get_mut("status").unwrap();
    status.properties.as_mut().unwrap().remove("bucket").unwrap();
    needs_a_record(&definition, "add `bucket` (integer) to the schema of `status`").await;
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_a_status_subresource_refuses_a_key_label() {
    let mut definition = Widget::crd();
    definition.spec.versions[0].subresources = None;
    needs_a_record(&definition, "there is no status subresource; add").await;
}

/// A kind that is nobody's to change: it has no status at all.
#[tokio::test(start_paused = true)]
async fn a_kind_of_the_api_itself_can_be_sharded() {
    let harness = Harness::new().await;
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for n in 0..12 {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(format!("map-{n}"));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let reconciled = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = reconciled.clone();
    // Their group is empty, and a label needs a domain.
    let options = harness.options("op-0", 4);
    let mut app = ShardedApp::new(harness.admin(), options);
    let reconcile = move |map: Arc<ConfigMap>, held: Held| {
        assert_eq!(held.bucket(), Some(ShardKey::of(map.meta(), None).bucket()));
        seen.lock().unwrap().insert(map.name_any());
        async { Ok::<_, Infallible>(Action::await_change()) }
    };
    app.controller::<ConfigMap>().run(reconcile);
    tokio::spawn(app.run(std::future::pending()));
    harness.until("all of them to be reconciled", || async { reconciled.lock().unwrap().len() == 12 }).await;
}

#[tokio::test(start_paused = true)]
async fn another_kind_under_the_same_id_is_refused_and_an_old_layout_is_completed() {
    let harness = Harness::new().await;
    let (_replica, readiness) = start(&harness, "op-0");
    harness.until("a replica to be ready", || async { readiness.get() == Readiness::Ready }).await;
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let kind = || async {
        let lease = leases.get(ID).await.ok()?;
        let layout = lease.annotations().get("test.shard-router.dev/layout")?;
        serde_json::from_str::<serde_json::Value>(layout).ok()?.get("kind").cloned()
    };
    harness
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
    unready_because(&harness, &readiness, "is in use for Gadget.test.shard-router.dev").await;
    write(None).await;
    harness.until("a replica to be ready again", || async { readiness.get() == Readiness::Ready }).await;
    harness.until("the kind to be completed", || async { kind().await.is_some() }).await;
}

#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "gadgets.example.com", version = "v1", kind = "Gadget", namespaced)]
#[kube(status = "GadgetStatus", derive = "Default")]
struct GadgetSpec {}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
struct GadgetStatus {
    bucket: Option<u8>,
}

impl Sharded for Gadget {
    fn recorded_bucket(&self) -> Option<u8> {
        self.status.as_ref()?.bucket
    }
}

/// Two operators whose users took the same LeaderElectionID, started at once: one works, the other says why it does not, and neither
/// costs the other a term.
///
/// `domain` is that of the gadgets' operator: with the same as the other's, the layout tells the kinds apart, else the coordinator.
async fn one_of_two_kinds_works(shards: [u16; 2], domain: &str) {
    const RESOURCES: usize = 12;
    let harness = Harness::new().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(harness.admin());
    definitions.create(&PostParams::default(), &Gadget::crd()).await.unwrap();
    let gadgets: Api<Gadget> = Api::namespaced(harness.admin(), NAMESPACE);
    for n in 0..RESOURCES {
        create(&harness.widgets, &format!("r{n}"), &[]).await;
        let gadget = Gadget::new(&format!("r{n}"), GadgetSpec::default());
        gadgets.create(&PostParams::default(), &gadget).await.unwrap();
    }
    let reconciled: [Arc<Mutex<BTreeSet<String>>>; 2] = Default::default();
    let [widgets, others] = reconciled.clone();
    let (network, app) = harness.app(harness.options("op-a", shards[0]));
    let widget_probe = app.readiness();
    let _widgets = Harness::run((network, app), move |widget: Arc<Widget>, _: Held| {
        widgets.lock().unwrap().insert(widget.name_any());
        async { Ok::<_, Infallible>(Action::await_change()) }
    });
    let mut options = harness.options("op-b", shards[1]);
    options.elections.domain = domain.to_owned();
    let mut app = ShardedApp::new(harness.admin(), options);
    let gadget_probe = app.readiness();
    let reconcile = move |gadget: Arc<Gadget>, _: Held| {
        others.lock().unwrap().insert(gadget.name_any());
        async { Ok::<_, Infallible>(Action::await_change()) }
    };
    app.controller::<Gadget>().run(reconcile);
    tokio::spawn(app.run(std::future::pending()));

    let count = |which: usize| reconciled[which].lock().unwrap().len();
    let all = || async { count(0) == RESOURCES || count(1) == RESOURCES };
    harness.until("all resources of one kind to be reconciled", all).await;
    let (works, idle) = if count(0) == RESOURCES { (0, 1) } else { (1, 0) };
    let probes = [&widget_probe, &gadget_probe];
    unready_because(&harness, probes[idle], "is in use ").await;
    assert_eq!(probes[works].get(), Readiness::Ready);
    let transitions = || async {
        let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
        let leases = leases.list(&ListParams::default()).await.unwrap();
        leases.items.into_iter().filter_map(|lease| lease.spec?.lease_transitions).sum::<i32>()
    };
    let before = transitions().await;
    harness.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(transitions().await, before, "terms are lost to the other kind");
    assert_eq!(count(idle), 0, "a replica of the other kind works, under Leases that are not its own");
}

#[tokio::test(start_paused = true)]
async fn one_of_two_kinds_works_under_equal_shard_counts() {
    one_of_two_kinds_works([4, 4], Widget::group(&()).as_ref()).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_kinds_works_under_different_shard_counts() {
    one_of_two_kinds_works([4, 6], Widget::group(&()).as_ref()).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_kinds_works_that_are_of_two_groups() {
    for shards in [[4, 4], [4, 6]] {
        one_of_two_kinds_works(shards, Gadget::group(&()).as_ref()).await;
    }
}
