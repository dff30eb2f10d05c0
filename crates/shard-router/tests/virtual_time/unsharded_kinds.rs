//! What the controller of a kind that is not sharded can do, and what it leaves out.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Secret},
    events::v1::Event,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::ApiResource,
    discovery::Scope,
    runtime::{
        events::EventType,
        predicates,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use overlap_checker::{Observations, Rules, judge, records::RecordLog};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use shard_router::{Action, Held, Metrics, Readiness, prometheus_client};

use crate::{
    harness::{Harness, ID, NAMESPACE},
    judged_run::{Run, Tenant, TenantSpec},
    widget::{LABEL, Widget, create},
};

async fn tenant(harness: &Harness, name: &str) -> Api<Tenant> {
    let tenants: Api<Tenant> = Api::all(harness.admin());
    tenants.create(&PostParams::default(), &Tenant::new(name, TenantSpec {})).await.unwrap();
    tenants
}

fn map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    (map.metadata.name, map.metadata.namespace) = (Some(name.to_owned()), Some(NAMESPACE.to_owned()));
    map
}

/// Long enough for whatever is due at once.
async fn settle(harness: &Harness) {
    harness.clock.sleep(Duration::from_secs(20)).await;
}

/// It has a child, depends on a Secret, writes a status and an event, and nothing gets a label. What is none of its business triggers nothing.
#[tokio::test(start_paused = true)]
async fn its_controller_has_what_that_of_a_sharded_kind_has() {
    let run = Run::new().await;
    let harness = &run.harness;
    let tenants = tenant(harness, "blue").await;
    let secrets: Api<Secret> = Api::namespaced(harness.admin(), NAMESPACE);
    let mut secret = Secret::default();
    secret.metadata.name = Some("blue".to_owned());
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    maps.create(&PostParams::default(), &map("of-nobody")).await.unwrap();
    create(&harness.widgets, "w", &[]).await;

    let (network, mut app) = run.app("op-0", 2);
    let mut registry = Registry::default();
    let (metrics, reconciles) = (Metrics::register(&mut registry), Arc::new(AtomicUsize::new(0)));
    let counted = reconciles.clone();
    app.controller::<Widget>().owns::<ConfigMap>().run(|widget: Arc<Widget>, held: Held| async move {
        assert!(held.shard().is_some() && held.bucket().is_some());
        held.apply_owned(widget.as_ref(), map("of-w")).await.map(|_| Action::await_change())
    });
    let users = |secret: &Secret, _: &Store<Tenant>| [ObjectRef::new(&secret.name_any())];
    let controller = app.unsharded::<Tenant>().owns::<ConfigMap>();
    let controller = controller.watches::<Secret, _>(watcher::Config::default(), users);
    controller.predicate(predicates::generation).run(move |tenant: Arc<Tenant>, held: Held| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(held.shard().is_none() && held.bucket().is_none() && held.bucket_label().is_none());
            assert!(held.token().0 > 0);
            let secret = held.watched::<Secret>(NAMESPACE, "blue").map_err(io::Error::other)?;
            let version = secret.and_then(|secret| secret.resource_version());
            held.apply_owned(tenant.as_ref(), map("of-blue")).await.map_err(io::Error::other)?;
            assert!(held.owned_in::<ConfigMap>(NAMESPACE, "of-nobody").unwrap().is_none(), "not its child");
            let status = json!({"by": version});
            let tenant = held.patch_status(tenant.as_ref(), status).await.map_err(io::Error::other)?;
            let event = held.event(&tenant, EventType::Normal, "Reconciled", "All is there");
            event.await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(Action::await_change())
        }
    });
    let readiness = app.readiness();
    let replica = Harness::spawn(network, app.metrics(metrics));
    let by = || async { tenants.get("blue").await.unwrap().status.and_then(|status| status.by) };
    harness.until("the status", || async { by().await.is_some() }).await;
    harness.until("the sharded kind", || async { maps.get_opt("of-w").await.unwrap().is_some() }).await;
    settle(harness).await;
    assert_eq!(readiness.get(), Readiness::Ready);
    let count = || reconciles.load(Ordering::SeqCst);
    let before = count();
    assert_eq!(
        before, 2,
        "once for itself, and once because its child has appeared; its own status is no news"
    );
    let child = maps.get("of-blue").await.unwrap();
    assert!(!child.labels().contains_key(LABEL) && child.owner_references()[0].name == "blue");
    assert!(!tenants.get("blue").await.unwrap().labels().contains_key(LABEL));
    let events: Api<Event> = Api::namespaced(harness.admin(), "default");
    let events = events.list(&ListParams::default()).await.unwrap();
    let is_about_it =
        |event: &&Event| event.regarding.as_ref().is_some_and(|on| on.name.as_deref() == Some("blue"));
    assert_eq!(events.iter().filter(is_about_it).count(), 1);

    // What is not its child triggers nothing.
    for other in ["of-nobody", "of-w"] {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"touched": "yes"}}}));
        maps.patch(other, &PatchParams::default(), &patch).await.unwrap();
    }
    settle(harness).await;
    assert_eq!(count(), before, "somebody else's ConfigMap has triggered a reconcile");
    maps.delete("of-blue", &DeleteParams::default()).await.unwrap();
    harness
        .until("the child to be created again", || async { maps.get_opt("of-blue").await.unwrap().is_some() })
        .await;
    // The owner reference is taken off, which ends its place in the cache.
    let orphaned = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
    maps.patch("of-blue", &PatchParams::default(), &orphaned).await.unwrap();
    let is_owned = || async { !maps.get("of-blue").await.unwrap().owner_references().is_empty() };
    harness.until("the child to have its owner again", is_owned).await;
    let (old, touch) = (by().await, Patch::Merge(json!({"metadata": {"annotations": {"touched": "yes"}}})));
    secrets.patch("blue", &PatchParams::default(), &touch).await.unwrap();
    harness.until("the Secret to trigger a reconcile", || async { by().await != old }).await;

    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let label = "kind=\"Tenant.test.shard-router.dev\",shard=\"unsharded\"";
    assert!(text.contains(&format!("shard_router_cached_objects{{{label}}} 1")), "{text}");
    assert!(text.contains(&format!("shard_router_queue_depth{{{label}}} 0")), "{text}");

    drop(replica.stop);
    replica.task.await.unwrap().unwrap();
    let mut records = RecordLog::default();
    records.read_str("memory", &run.records.text());
    let verdict = judge(&Observations { records, ..Observations::default() }, &Rules::default());
    assert!(verdict.passed(), "{verdict}");
    assert!(run.records.text().contains("\"shard\":\"unsharded\""));
}

/// Its shards stand for nothing, and their Leases are held all the same.
#[tokio::test(start_paused = true)]
async fn an_operator_may_have_nothing_but_unsharded_kinds() {
    let run = Run::new().await;
    let harness = &run.harness;
    tenant(harness, "blue").await;
    let (network, mut app) = run.app("op-0", 1);
    let reconcile = |_: Arc<Tenant>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    app.unsharded::<Tenant>().run(reconcile);
    let readiness = app.readiness();
    let _replica = Harness::spawn(network, app);
    let blue = BTreeSet::from(["/blue".to_owned()]);
    harness.until("a reconcile", || async { run.reconciled_by("op-0", 0) == blue }).await;
    settle(harness).await;
    assert_eq!(readiness.get(), Readiness::Ready);
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let spec = leases.get(&format!("{ID}-shard-0")).await.unwrap().spec.unwrap();
    assert!(spec.holder_identity.unwrap().starts_with("op-0"));
    assert_eq!(spec.lease_transitions, Some(1), "it was given up and acquired again");
}

#[tokio::test(start_paused = true)]
async fn unsharded_kinds_are_reconciled_without_leader_election_too() {
    let run = Run::new().await;
    tenant(&run.harness, "blue").await;
    let mut options = run.harness.options("op-0", 2);
    options.elections.leader_election = false;
    let (network, mut app) = run.harness.app(options);
    let done = Arc::new(Mutex::new(None));
    let noted = done.clone();
    let tenants = ApiResource::erase::<Tenant>(&());
    app.dynamic_unsharded(tenants, Scope::Cluster).run(
        move |tenant: Arc<kube::core::DynamicObject>, held: Held| {
            *noted.lock().unwrap() = Some((tenant.name_any(), held.shard()));
            async { Ok::<_, Infallible>(Action::await_change()) }
        },
    );
    let _replica = Harness::spawn(network, app);
    run.harness.until("a reconcile", || async { done.lock().unwrap().is_some() }).await;
    assert_eq!(*done.lock().unwrap(), Some(("blue".to_owned(), None)));
}

/// A kind that is held up by its lists is named, and the sharded ones go on.
#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_that_cannot_be_listed_is_told_of() {
    let run = Run::new().await;
    let harness = &run.harness;
    tenant(harness, "blue").await;
    create(&harness.widgets, "w", &[]).await;
    let (network, mut app) = run.app("op-0", 2);
    network.lose(Some("tenants"));
    app.unsharded::<Tenant>()
        .run(|_: Arc<Tenant>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) });
    app.controller::<Widget>()
        .run(|_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) });
    let readiness = app.readiness();
    let _replica = Harness::spawn(network.clone(), app);
    let widget = BTreeSet::from(["Widget.test.shard-router.dev/default/w".to_owned()]);
    harness.until("the widget", || async { run.reconciled_by("op-0", 0) == widget }).await;
    let says = || async {
        let part = "the coordinator Lease is held but not worked on for";
        matches!(readiness.get(), Readiness::NotReady { because } if because.starts_with(part) && because.contains("tenants"))
    };
    harness.until("a sentence", says).await;
    network.lose(None);
    harness.until("it to be ready", || async { readiness.get() == Readiness::Ready }).await;
    harness.until("the tenant", || async { run.reconciled_by("op-0", 0).len() == 2 }).await;
}
