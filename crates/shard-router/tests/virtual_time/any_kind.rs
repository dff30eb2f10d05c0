//! Kinds of every sort are taken over from a replica that is cut off: cluster-scoped ones, ones that are not known at compile time, and built-in ones. The overlap
//! checker judges by the records of both replicas and by the audit log.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, ListParams, PostParams},
    discovery::Scope,
    runtime::events::EventType,
};
use lease_core::Clock;
use overlap_checker::{JudgedResource, Observations, Owner, Rules, judge, records::RecordLog};
use serde_json::json;
use shard_router::{
    Action, Change, Controller, Held, OwnedError, RunError, ShardKey, ShardedApp, ShardedObject,
};

use crate::{
    harness::{Harness, NAMESPACE, Replica},
    judged_run::{Quota, QuotaSpec, Run, Tenant, TenantSpec},
    widget::{LABEL, Widget, create},
};

const SHARDS: u16 = 4;
const RESOURCES: usize = 24;
/// How long one reconcile takes, so that some run at each instant.
const RECONCILE: Duration = Duration::from_millis(300);
const AGAIN: Duration = Duration::from_secs(1);

/// A kind, and how it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    ClusterScoped,
    DynamicClusterScoped,
    DynamicNamespaced,
    BuiltIn,
}

impl Sort {
    fn is_namespaced(self) -> bool {
        matches!(self, Self::DynamicNamespaced | Self::BuiltIn)
    }

    async fn create(self, harness: &Harness, name: &str) {
        match self {
            Self::ClusterScoped | Self::DynamicClusterScoped => {
                let tenants: Api<Tenant> = Api::all(harness.admin());
                let tenant = Tenant::new(name, TenantSpec {});
                tenants.create(&PostParams::default(), &tenant).await.unwrap();
            }
            Self::DynamicNamespaced => drop(create(&harness.widgets, name, &[]).await),
            Self::BuiltIn => {
                let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
                let mut map = ConfigMap::default();
                map.metadata.name = Some(name.to_owned());
                maps.create(&PostParams::default(), &map).await.unwrap();
            }
        }
    }

    fn declare(self, app: &mut ShardedApp, clock: &Arc<dyn Clock>) {
        let work = Work { clock: clock.clone(), namespaced: self.is_namespaced() };
        match self {
            Self::ClusterScoped => work.declare(app.controller::<Tenant>(), ()),
            Self::DynamicClusterScoped => {
                let tenants = ApiResource::erase::<Tenant>(&());
                work.declare(app.dynamic_controller(tenants.clone(), Scope::Cluster), tenants);
            }
            Self::DynamicNamespaced => {
                let widgets = ApiResource::erase::<Widget>(&());
                work.declare(app.dynamic_controller(widgets.clone(), Scope::Namespaced), widgets);
            }
            Self::BuiltIn => app.controller::<ConfigMap>().run(move |_: Arc<ConfigMap>, _: Held| {
                let work = work.clone();
                async move { work.takes_time().await }
            }),
        }
    }

    /// The resources themselves, and their children.
    fn judged(self) -> Vec<JudgedResource> {
        let group = "test.shard-router.dev";
        let child = JudgedResource::new("", "configmaps", Owner::Suffix("-child".into()));
        match self {
            Self::ClusterScoped | Self::DynamicClusterScoped => vec![
                JudgedResource::new(group, "tenants", Owner::Itself).of_cluster_scoped(),
                child.of_cluster_scoped(),
            ],
            Self::DynamicNamespaced => vec![JudgedResource::new(group, "widgets", Owner::Itself), child],
            Self::BuiltIn => vec![JudgedResource::new("", "configmaps", Owner::Itself)],
        }
    }
}

/// Each resource gets a child, and is reconciled again and again.
#[derive(Clone)]
struct Work {
    clock: Arc<dyn Clock>,
    namespaced: bool,
}

impl Work {
    fn declare<K: ShardedObject>(self, controller: Controller<'_, K>, kind: K::DynamicType) {
        controller.owns::<ConfigMap>().run(move |object: Arc<K>, held: Held| {
            let (work, kind) = (self.clone(), kind.clone());
            async move {
                work.child(object.as_ref(), &kind, &held).await.map_err(io::Error::other)?;
                work.takes_time().await
            }
        });
    }

    async fn takes_time(&self) -> io::Result<Action> {
        self.clock.sleep(RECONCILE).await;
        Ok(Action::requeue(AGAIN))
    }

    async fn child<K: ShardedObject>(
        &self,
        object: &K,
        kind: &K::DynamicType,
        held: &Held,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let name = format!("{}-child", object.name_any());
        let found: Option<Arc<ConfigMap>> =
            if self.namespaced { held.owned(&name)? } else { held.owned_in(NAMESPACE, &name)? };
        let mut child = ConfigMap::default();
        (child.metadata.name, child.metadata.namespace) = (Some(name), Some(NAMESPACE.to_owned()));
        let applied = held.apply_owned(object, child).await?;
        assert_eq!(found.is_none(), applied.change == Change::Created, "{applied:?}");
        let child = applied.object.ok_or("it is there")?;
        assert_eq!(child.owner_references(), object.controller_owner_ref(kind).as_slice());
        Ok(())
    }
}

async fn is_taken_over(sort: Sort) {
    let run = Run::new().await;
    let harness = &run.harness;
    for number in 0..RESOURCES {
        sort.create(harness, &format!("resource-{number}")).await;
    }
    let namespace = if sort.is_namespaced() { NAMESPACE } else { "" };
    let all: BTreeSet<_> = (0..RESOURCES).map(|number| format!("{namespace}/resource-{number}")).collect();
    let start = |pod: &str| {
        let (network, mut app) = run.app(pod, SHARDS);
        sort.declare(&mut app, &harness.clock);
        Harness::spawn(network, app)
    };
    let old = start("op-0");
    harness.until("op-0 to reconcile everything", || async { run.reconciled_by("op-0", 0) == all }).await;
    let new = start("op-1");
    let shares = || async { !run.reconciled_by("op-1", 0).is_empty() };
    harness.until("op-1 to have its share", shares).await;
    old.network.swallow(true);
    let from = run.lines();
    harness.until("op-1 to reconcile everything", || async { run.reconciled_by("op-1", from) == all }).await;
    let Replica { stop, task, .. } = new;
    drop(stop);
    task.await.unwrap().unwrap();

    let verdict = run.judge(sort.judged());
    assert!(verdict.passed(), "{sort:?}: {verdict}");
    assert_eq!(verdict.coverage.crs, RESOURCES as u64, "{verdict}");
    let children = if sort == Sort::BuiltIn { 0 } else { RESOURCES as u64 };
    assert_eq!(verdict.coverage.writes, children, "each child is created once: {verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_scoped_kind_is_taken_over() {
    is_taken_over(Sort::ClusterScoped).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_known_at_compile_time_is_taken_over() {
    is_taken_over(Sort::DynamicNamespaced).await;
    is_taken_over(Sort::DynamicClusterScoped).await;
}

#[tokio::test(start_paused = true)]
async fn a_built_in_kind_is_taken_over() {
    is_taken_over(Sort::BuiltIn).await;
}

/// It may own what is in a namespace, and what is in none.
#[tokio::test(start_paused = true)]
async fn children_of_a_cluster_scoped_resource_are_found_and_trigger_wherever_they_are() {
    let run = Run::new().await;
    let harness = &run.harness;
    let tenants: Api<Tenant> = Api::all(harness.admin());
    let tenant = tenants.create(&PostParams::default(), &Tenant::new("blue", TenantSpec {})).await.unwrap();
    let (network, mut app) = run.app("op-0", SHARDS);
    let unknown = Arc::new(Mutex::new(Vec::new()));
    let found = unknown.clone();
    app.controller::<Tenant>().owns::<ConfigMap>().owns::<Quota>().run(
        move |tenant: Arc<Tenant>, held: Held| {
            let found = found.clone();
            async move {
                let mut meta = kube::core::ObjectMeta { name: Some("of-blue".into()), ..Default::default() };
                meta.owner_references = tenant.owner_ref(&()).map(|owner| vec![owner]);
                held.label_child(&mut meta);
                if held.owned_in::<ConfigMap>(NAMESPACE, "of-blue").unwrap().is_none() {
                    let map = ConfigMap { metadata: meta.clone(), ..ConfigMap::default() };
                    let maps: Api<ConfigMap> = Api::namespaced(held.client(), NAMESPACE);
                    maps.create(&PostParams::default(), &map).await?;
                }
                if held.owned::<Quota>("of-blue").unwrap().is_none() {
                    let mut quota = Quota::new("of-blue", QuotaSpec {});
                    quota.metadata = meta;
                    Api::<Quota>::all(held.client()).create(&PostParams::default(), &quota).await?;
                }
                let elsewhere = held.owned_in::<ConfigMap>("elsewhere", "of-blue").unwrap_err();
                let nowhere = held.owned::<ConfigMap>("of-blue").unwrap_err();
                *found.lock().unwrap() = vec![elsewhere, nowhere];
                let tenant = held.patch_status(tenant.as_ref(), json!({"by": "op-0"})).await?;
                held.event(&tenant, EventType::Normal, "Reconciled", "All is there").await?;
                Ok::<_, kube::Error>(Action::await_change())
            }
        },
    );
    let _replica = Harness::spawn(network, app);
    let by = || async { tenants.get("blue").await.unwrap().status.and_then(|status| status.by) };
    harness.until("the status", || async { by().await.as_deref() == Some("op-0") }).await;
    let labels = tenants.get("blue").await.unwrap().labels().clone();
    assert_eq!(labels[LABEL], ShardKey::from("blue").bucket().to_string(), "by its name alone");
    let [OwnedError::NotListed { .. }, OwnedError::NoNamespace { .. }] = unknown.lock().unwrap()[..] else {
        panic!("{unknown:?}")
    };
    let events: Api<Event> = Api::namespaced(harness.admin(), "default");
    let of_blue = || async {
        let events = events.list(&ListParams::default()).await.unwrap();
        events.items.iter().any(|event| event.regarding.as_ref().is_some_and(|on| on.uid == tenant.uid()))
    };
    harness.until("an event on the tenant", of_blue).await;

    // What is deleted is created again, because its deletion triggers its owner. Nothing else does once the status has been reconciled.
    harness.clock.sleep(Duration::from_secs(5)).await;
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    let quotas: Api<Quota> = Api::all(harness.admin());
    maps.delete("of-blue", &DeleteParams::default()).await.unwrap();
    harness
        .until("the child in the namespace", || async { maps.get_opt("of-blue").await.unwrap().is_some() })
        .await;
    quotas.delete("of-blue", &DeleteParams::default()).await.unwrap();
    harness.until("the child in none", || async { quotas.get_opt("of-blue").await.unwrap().is_some() }).await;
}

/// Beside a namespaced kind, the name of a cluster-scoped resource has an empty namespace in the records.
#[tokio::test(start_paused = true)]
async fn records_of_several_kinds_tell_a_cluster_scoped_resource_from_a_namespaced_one() {
    let run = Run::new().await;
    let harness = &run.harness;
    Sort::ClusterScoped.create(harness, "one").await;
    Sort::BuiltIn.create(harness, "one").await;
    let (network, mut app) = run.app("op-0", SHARDS);
    Sort::ClusterScoped.declare(&mut app, &harness.clock);
    Sort::BuiltIn.declare(&mut app, &harness.clock);
    let Replica { stop, task, .. } = Harness::spawn(network, app);
    let both = ["ConfigMap/default/one", "Tenant.test.shard-router.dev//one"];
    let reconciled = || async {
        let reconciled = run.reconciled_by("op-0", 0);
        both.iter().all(|cr| reconciled.contains(*cr))
    };
    harness.until("both to be reconciled", reconciled).await;
    drop(stop);
    task.await.unwrap().unwrap();
    let mut records = RecordLog::default();
    records.read_str("memory", &run.records.text());
    let verdict = judge(&Observations { records, ..Observations::default() }, &Rules::default());
    assert!(verdict.passed(), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_namespaced_kind_that_owns_a_cluster_scoped_one_is_refused() {
    let run = Run::new().await;
    let (_network, mut app) = run.app("op-0", SHARDS);
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, io::Error>(Action::await_change()) };
    app.controller::<Widget>().owns::<ConfigMap>().owns::<Quota>().run(reconcile);
    let refused = app.run(std::future::pending()).await.unwrap_err();
    assert!(matches!(refused, RunError::OwnsClusterScoped { .. }), "{refused}");
    let sentence = refused.to_string();
    assert!(
        sentence.starts_with(
            "Widget.test.shard-router.dev is namespaced, so it cannot own the cluster-scoped Quota.test.shard-router.dev: "
        ),
        "{sentence}"
    );
}
