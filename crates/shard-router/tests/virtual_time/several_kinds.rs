//! One operator with two kinds: one set of Leases, and no kind holds up the other.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PatchParams, PostParams},
};
use shard_router::{Action, Held, Readiness, ReadinessProbe, RecordSink, RunError, ShardedApp};
use tokio::sync::Semaphore;

use crate::{
    blackhole::Blackhole,
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const RESOURCES: usize = 8;

/// Who reconciled which resource, by kind and name.
type Reconciled = Arc<Mutex<BTreeMap<(&'static str, String), String>>>;

/// Widgets and ConfigMaps with the same names.
async fn resources(harness: &Harness) {
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for number in 0..RESOURCES {
        let name = format!("resource-{number}");
        create(&harness.widgets, &name, &[]).await;
        let mut map = ConfigMap::default();
        map.metadata.name = Some(name);
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
}

fn declare<K>(app: &mut ShardedApp, kind: &'static str, pod: &str, reconciled: &Reconciled)
where
    K: shard_router::Sharded,
{
    let (reconciled, pod) = (reconciled.clone(), pod.to_owned());
    app.controller::<K>().run(move |object: Arc<K>, _: Held| {
        let name = object.meta().name.clone().unwrap_or_default();
        reconciled.lock().unwrap().insert((kind, name), pod.clone());
        async { Ok::<_, Infallible>(Action::await_change()) }
    });
}

/// Starts a replica with both kinds, which cannot find this type.
fn start(
    harness: &Harness,
    pod: &str,
    reconciled: &Reconciled,
    lost: Option<&'static str>,
) -> (Replica, ReadinessProbe) {
    let (network, mut app) = harness.app(harness.options(pod, SHARDS));
    network.lose(lost);
    declare::<Widget>(&mut app, "widget", pod, reconciled);
    declare::<ConfigMap>(&mut app, "map", pod, reconciled);
    let readiness = app.readiness();
    (Harness::spawn(network, app), readiness)
}

async fn shard_leases(harness: &Harness) -> Vec<Lease> {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.unwrap();
    leases.into_iter().filter(|lease| lease.name_any().contains("-shard-")).collect()
}

fn count(reconciled: &Reconciled, kind: &str) -> usize {
    reconciled.lock().unwrap().keys().filter(|(of, _)| *of == kind).count()
}

async fn unready_because(harness: &Harness, readiness: &ReadinessProbe, part: &str) {
    let says =
        || async { matches!(readiness.get(), Readiness::NotReady { because } if because.contains(part)) };
    harness.until(&format!("a replica to be not ready because of {part:?}"), says).await;
}

#[tokio::test(start_paused = true)]
async fn two_kinds_share_the_leases_and_resources_with_one_key_are_in_one_hand() {
    let harness = Harness::new().await;
    resources(&harness).await;
    let reconciled = Reconciled::default();
    let replicas = ["op-0", "op-1"].map(|pod| start(&harness, pod, &reconciled, None));
    let settled = || async {
        let leases = shard_leases(&harness).await;
        let holder = |lease: &Lease| lease.spec.as_ref()?.holder_identity.clone();
        let of_first = leases.iter().filter_map(holder).filter(|holder| holder.starts_with("op-0"));
        leases.len() == usize::from(SHARDS) && of_first.count() == 2
    };
    harness.until("two shards each, and no Lease more", settled).await;
    // All that was reconciled so far may have been reconciled by a replica that held more shards then.
    reconciled.lock().unwrap().clear();
    resources_changed(&harness).await;
    let all =
        || async { count(&reconciled, "widget") == RESOURCES && count(&reconciled, "map") == RESOURCES };
    harness.until("all resources of both kinds to be reconciled", all).await;
    let reconciled = reconciled.lock().unwrap();
    for number in 0..RESOURCES {
        let by = |kind| reconciled[&(kind, format!("resource-{number}"))].clone();
        assert_eq!(by("widget"), by("map"), "resource-{number}");
    }
    for (_, readiness) in &replicas {
        assert_eq!(readiness.get(), Readiness::Ready);
    }
}

async fn resources_changed(harness: &Harness) {
    let touch = kube::api::Patch::Merge(serde_json::json!({"metadata": {"annotations": {"touched": "yes"}}}));
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for number in 0..RESOURCES {
        let name = format!("resource-{number}");
        harness.widgets.patch(&name, &PatchParams::default(), &touch).await.unwrap();
        maps.patch(&name, &PatchParams::default(), &touch).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_cannot_be_listed_holds_up_itself_alone() {
    let harness = Harness::new().await;
    resources(&harness).await;
    let reconciled = Reconciled::default();
    let (network, mut app) = harness.app(harness.options("op-0", SHARDS));
    network.lose(Some("configmaps"));
    declare::<Widget>(&mut app, "widget", "op-0", &reconciled);
    declare::<ConfigMap>(&mut app, "map", "op-0", &reconciled);
    let readiness = app.readiness();
    let _replica = Harness::spawn(network.clone(), app);
    harness
        .until("all widgets to be reconciled", || async { count(&reconciled, "widget") == RESOURCES })
        .await;
    unready_because(&harness, &readiness, "the list of configmaps in all namespaces keeps failing").await;
    assert_eq!(count(&reconciled, "map"), 0);

    // It works on something, so it keeps its share beside a replica that can do everything.
    let (_other, _) = start(&harness, "op-1", &reconciled, None);
    harness.clock.sleep(Duration::from_secs(300)).await;
    let held = |leases: Vec<Lease>, pod: &str| {
        let holder = |lease: Lease| lease.spec?.holder_identity;
        leases.into_iter().filter_map(holder).filter(|holder| holder.starts_with(pod)).count()
    };
    assert_eq!(held(shard_leases(&harness).await, "op-0"), 2);

    network.lose(None);
    harness.until("all maps to be reconciled", || async { count(&reconciled, "map") == RESOURCES }).await;
    harness.until("it to be ready", || async { readiness.get() == Readiness::Ready }).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_with_other_kinds_refuses() {
    let harness = Harness::new().await;
    resources(&harness).await;
    let reconciled = Reconciled::default();
    let (_both, readiness) = start(&harness, "op-0", &reconciled, None);
    harness.until("a replica to be ready", || async { readiness.get() == Readiness::Ready }).await;
    let (network, mut app) = harness.app(harness.options("op-1", SHARDS));
    declare::<Widget>(&mut app, "widget", "op-1", &reconciled);
    let other = app.readiness();
    let _one = Harness::spawn(network, app);
    unready_because(
        &harness,
        &other,
        "this replica reconciles Widget.test.shard-router.dev, but its LeaderElectionID is in use for \
         ConfigMap,Widget.test.shard-router.dev",
    )
    .await;
    let by_the_other = reconciled.lock().unwrap().values().any(|pod| pod == "op-1");
    assert!(!by_the_other, "a replica that refuses has reconciled");
}

#[tokio::test(start_paused = true)]
async fn no_kind_and_a_kind_declared_twice_are_refused() {
    let harness = Harness::new().await;
    let run = |app: ShardedApp| app.run(std::future::pending());
    let (_network, app) = harness.app(harness.options("op-0", SHARDS));
    assert!(matches!(run(app).await, Err(RunError::NoKind)));
    let (_network, mut app) = harness.app(harness.options("op-0", SHARDS));
    let reconciled = Reconciled::default();
    declare::<Widget>(&mut app, "widget", "op-0", &reconciled);
    declare::<Widget>(&mut app, "again", "op-0", &reconciled);
    let twice = run(app).await;
    assert!(matches!(&twice, Err(RunError::KindTwice { kind }) if kind.contains("Widget")), "{twice:?}");
}

/// Records of resources by kind.
#[derive(Debug, Default)]
struct Begun(Mutex<Vec<String>>);

impl RecordSink for Begun {
    fn write_line(&self, line: &str) -> io::Result<()> {
        let record: serde_json::Value = serde_json::from_str(line)?;
        if record["record"] == "begin" {
            self.0.lock().unwrap().push(record["cr"].as_str().unwrap_or_default().to_owned());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_released_once_the_reconciles_of_all_kinds_have_ended() {
    let harness = Harness::new().await;
    resources(&harness).await;
    let begun = Arc::new(Begun::default());
    let options = harness.options("op-0", 1).with_records(begun.clone() as Arc<dyn RecordSink>);
    let network = Blackhole::before(harness.server().service());
    let mut app = ShardedApp::new(kube::Client::new(network.clone(), NAMESPACE), options);
    let reconciled = Reconciled::default();
    declare::<Widget>(&mut app, "widget", "op-0", &reconciled);
    let gate = Arc::new(Semaphore::new(0));
    let permit = gate.clone();
    app.controller::<ConfigMap>().run(move |_: Arc<ConfigMap>, _: Held| {
        let permit = permit.clone();
        async move {
            permit.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(Action::await_change())
        }
    });
    let Replica { stop, task, .. } = Harness::spawn(network, app);
    let both = || async {
        let begun = begun.0.lock().unwrap();
        let of = |kind: &str| begun.iter().any(|cr| cr.starts_with(kind));
        of("ConfigMap/default/resource-") && of("Widget.test.shard-router.dev/default/resource-")
    };
    harness.until("both kinds to be reconciled, and recorded by kind", both).await;
    harness.until("no widget to be reconciled", || async { count(&reconciled, "widget") == RESOURCES }).await;

    drop(stop);
    harness.clock.sleep(Duration::from_secs(5)).await;
    let held = |leases: Vec<Lease>| {
        leases.iter().any(|lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.is_some_and(|holder| holder.starts_with("op-0"))
        })
    };
    assert!(
        held(shard_leases(&harness).await),
        "{ID}-shard-0 was released beside a reconcile of a ConfigMap"
    );
    gate.add_permits(RESOURCES);
    task.await.unwrap().unwrap();
    assert!(!held(shard_leases(&harness).await));
}
