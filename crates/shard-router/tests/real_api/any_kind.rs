//! A built-in kind, and a cluster-scoped one that is not known at compile time, under one set of Leases.

use std::{collections::BTreeSet, io, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, CustomResource, CustomResourceExt, Resource, ResourceExt,
    api::{DynamicObject, GroupVersionKind, PostParams},
    discovery,
    runtime::events::EventType,
};
use kube_testkit::eventually;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shard_router::{Action, Held, ShardKey};

use crate::{
    fleet::{DEADLINE, Fleet, Running, violations},
    widget::LABEL,
};

const RESOURCES: usize = 6;

/// For its definition. The operator does not use the type.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.shard-router.dev", version = "v1", kind = "Tenant", status = "TenantStatus")]
struct TenantSpec {}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
struct TenantStatus {
    by: Option<String>,
}

async fn installed(fleet: &Fleet) {
    fleet.env.add_kinds(&[Tenant::crd()]).await.unwrap();
}

/// Its tenants own a ConfigMap each.
async fn start(fleet: &Fleet, pod: &'static str) -> Running {
    let (identity, mut app) = fleet.app(fleet.options(pod, 2));
    app.controller::<Secret>()
        .run(|_: Arc<Secret>, _: Held| async { Ok::<_, io::Error>(Action::await_change()) });
    let gvk = GroupVersionKind::gvk("test.shard-router.dev", "v1", "Tenant");
    let (kind, capabilities) = discovery::pinned_kind(&fleet.env.admin(), &gvk).await.unwrap();
    let namespace = fleet.env.namespace().to_owned();
    app.dynamic_controller(kind.clone(), capabilities.scope).owns::<ConfigMap>().run(
        move |tenant: Arc<DynamicObject>, held: Held| {
            let (kind, namespace) = (kind.clone(), namespace.clone());
            async move {
                let name = tenant.name_any();
                if held.owned_in::<ConfigMap>(&namespace, &name).map_err(io::Error::other)?.is_none() {
                    let mut child = ConfigMap::default();
                    child.metadata.name = Some(name);
                    child.metadata.owner_references = tenant.owner_ref(&kind).map(|owner| vec![owner]);
                    held.label_child(&mut child.metadata);
                    let children: Api<ConfigMap> = Api::namespaced(held.client(), &namespace);
                    children.create(&PostParams::default(), &child).await.map_err(io::Error::other)?;
                }
                let tenant =
                    held.patch_status(&*tenant, json!({"by": pod})).await.map_err(io::Error::other)?;
                held.event(&tenant, EventType::Normal, "Reconciled", "by a test")
                    .await
                    .map_err(io::Error::other)?;
                Ok::<_, io::Error>(Action::await_change())
            }
        },
    );
    Fleet::spawn(identity, app)
}

/// What this replica has reconciled.
fn reconciled_by(fleet: &Fleet, identity: &str) -> BTreeSet<String> {
    let ends = fleet.records.of("end").into_iter();
    let ok = ends.filter(|end| end["replica"] == identity && end["outcome"] == "ok");
    ok.map(|end| end["cr"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_built_in_kind_and_a_cluster_scoped_one_that_is_known_at_run_time_only() {
    let Some(fleet) = Fleet::new("it serves Secrets and discovery").await else { return };
    installed(&fleet).await;
    let namespace = fleet.env.namespace();
    let secrets: Api<Secret> = Api::namespaced(fleet.env.admin(), namespace);
    let tenants: Api<Tenant> = Api::all(fleet.env.admin());
    let mut all = BTreeSet::new();
    for number in 0..RESOURCES {
        // Tenants of other runs may be there.
        let name = format!("{namespace}-{number}");
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.clone());
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        tenants.create(&PostParams::default(), &Tenant::new(&name, TenantSpec {})).await.unwrap();
        all.extend([format!("Secret/{namespace}/{name}"), format!("Tenant.test.shard-router.dev//{name}")]);
    }
    let a = start(&fleet, "pod-a").await;
    let identity = a.identity.clone();
    let by = |identity: String| {
        let (fleet, all) = (&fleet, &all);
        async move {
            eventually(&format!("everything to be reconciled by {identity}"), DEADLINE, || async {
                all.is_subset(&reconciled_by(fleet, &identity)).then_some(())
            })
            .await;
        }
    };
    by(identity).await;
    let b = start(&fleet, "pod-b").await;
    b.ready().await;
    a.terminate().await;
    by(b.identity.clone()).await;
    b.terminate().await;
    let found = violations(&fleet.records);
    assert!(found.is_empty(), "{found:#?}");

    for number in 0..RESOURCES {
        let name = format!("{namespace}-{number}");
        let tenant = tenants.get(&name).await.unwrap();
        assert_eq!(tenant.labels()[LABEL], ShardKey::from(name.as_str()).bucket().to_string());
        assert_eq!(tenant.status.unwrap().by.as_deref(), Some("pod-b"));
        tenants.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    }
}
