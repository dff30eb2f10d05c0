//! Children that are cluster-scoped, or whose type is not known at compile time.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
    core::{ApiResource, DynamicObject, ObjectMeta},
    discovery::Scope,
};
use serde_json::json;
use shard_router::{Action, ApplyError, Change, Held, OwnedError, RunError};

use crate::{
    harness::{Harness, NAMESPACE},
    judged_run::{Quota, QuotaSpec, Run, Tenant, TenantSpec},
    widget::{LABEL, Widget, create},
};

/// What was written by each reconcile, and whether the child was in the cache before.
type Changes = Arc<Mutex<Vec<(Change, bool)>>>;

async fn tenant(harness: &Harness) {
    let tenants: Api<Tenant> = Api::all(harness.admin());
    tenants.create(&PostParams::default(), &Tenant::new("blue", TenantSpec {})).await.unwrap();
}

fn quota() -> Quota {
    let mut quota = Quota::new("of-blue", QuotaSpec {});
    quota.labels_mut().insert("size".to_owned(), "small".to_owned());
    quota
}

/// The quota is there, as it should be.
async fn is_right(harness: &Harness) -> bool {
    let quota = Api::<Quota>::all(harness.admin()).get_opt("of-blue").await.unwrap();
    quota.is_some_and(|quota| {
        let owners = quota.owner_references();
        quota.labels().contains_key(LABEL)
            && quota.labels().get("size").is_some_and(|size| size == "small")
            && owners.len() == 1
            && (owners[0].name.as_str(), owners[0].controller) == ("blue", Some(true))
    })
}

/// Somebody edits it, and deletes it.
async fn is_kept_right(harness: &Harness) {
    harness.until("the quota", || is_right(harness)).await;
    harness.clock.sleep(Duration::from_secs(120)).await;
    let quotas: Api<Quota> = Api::all(harness.admin());
    let edit = kube::api::Patch::Merge(json!({"metadata": {"labels": {"size": "large"}}}));
    quotas.patch("of-blue", &kube::api::PatchParams::default(), &edit).await.unwrap();
    harness.until("the edit to be undone", || is_right(harness)).await;
    harness.clock.sleep(Duration::from_secs(120)).await;
    quotas.delete("of-blue", &DeleteParams::default()).await.unwrap();
    harness.until("the quota to be created again", || is_right(harness)).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_scoped_resource_applies_a_cluster_scoped_child() {
    let run = Run::new().await;
    tenant(&run.harness).await;
    let (network, mut app) = run.app("op-0", 2);
    let changes = Changes::default();
    let noted = changes.clone();
    app.controller::<Tenant>().owns::<Quota>().run(move |tenant: Arc<Tenant>, held: Held| {
        let noted = noted.clone();
        async move {
            let before = held.owned::<Quota>("of-blue").map(|quota| quota.is_some());
            let applied = held.apply_owned(tenant.as_ref(), quota()).await?;
            // Judged outside: a panic here would be a failed reconcile, and repeated.
            noted.lock().unwrap().push((applied.change, before.unwrap_or_default()));
            Ok::<_, ApplyError>(Action::await_change())
        }
    });
    let _replica = Harness::spawn(network, app);
    is_kept_right(&run.harness).await;
    let changes = changes.lock().unwrap();
    for (change, was_cached) in changes.iter() {
        assert_eq!(*was_cached, *change != Change::Created, "its state came from the cache: {changes:?}");
    }
    let written: Vec<_> =
        changes.iter().map(|(change, _)| change).filter(|change| **change != Change::None).cloned().collect();
    assert!(matches!(&written[..], [Change::Created, Change::Restored(_), Change::Created]), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespaced_resource_is_refused_a_cluster_scoped_child() {
    let run = Run::new().await;
    create(&run.harness.widgets, "w", &[]).await;
    let (network, mut app) = run.app("op-0", 1);
    let refused = Arc::new(Mutex::new(None));
    let noted = refused.clone();
    app.controller::<Widget>().run(move |widget: Arc<Widget>, held: Held| {
        let noted = noted.clone();
        async move {
            *noted.lock().unwrap() = held.apply_owned(widget.as_ref(), quota()).await.err();
            Ok::<_, io::Error>(Action::await_change())
        }
    });
    let _replica = Harness::spawn(network, app);
    run.harness.until("a reconcile", || async { refused.lock().unwrap().is_some() }).await;
    let refused = refused.lock().unwrap().take().unwrap();
    assert!(matches!(refused, ApplyError::ClusterScoped { .. }), "{refused:?}");
    let sentence = refused.to_string();
    assert!(
        sentence.starts_with("Quota of-blue is cluster-scoped, and its owner is in the namespace default; "),
        "{sentence}"
    );
    assert!(Api::<Quota>::all(run.harness.admin()).get_opt("of-blue").await.unwrap().is_none());

    let (_network, mut app) = run.app("op-1", 1);
    let quotas = ApiResource::erase::<Quota>(&());
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, io::Error>(Action::await_change()) };
    app.controller::<Widget>().owns_dynamic(quotas, Scope::Cluster).run(reconcile);
    let refused = app.run(std::future::pending()).await.unwrap_err();
    assert!(matches!(refused, RunError::OwnsClusterScoped { .. }), "{refused}");
}

/// Two types that have one Rust type, of which one is cluster-scoped.
#[tokio::test(start_paused = true)]
async fn children_whose_type_is_not_known_at_compile_time_are_applied_like_others() {
    let run = Run::new().await;
    let harness = &run.harness;
    tenant(harness).await;
    let (quotas, maps) = (ApiResource::erase::<Quota>(&()), ApiResource::erase::<ConfigMap>(&()));
    let (network, mut app) = run.app("op-0", 2);
    let mistakes = Arc::new(Mutex::new(None));
    let noted = mistakes.clone();
    let changes = Changes::default();
    let by_cache = changes.clone();
    let controller = app.controller::<Tenant>().owns_dynamic(maps.clone(), Scope::Namespaced);
    controller.owns_dynamic(quotas.clone(), Scope::Cluster).run(move |tenant: Arc<Tenant>, held: Held| {
        let (quotas, maps, noted, by_cache) = (quotas.clone(), maps.clone(), noted.clone(), by_cache.clone());
        async move {
            // Both children have one name and one Rust type.
            let quota_before = held.owned_dynamic(&quotas, None, "of-blue").map_err(io::Error::other)?;
            let mut child = DynamicObject::new("of-blue", &quotas);
            child.metadata.labels = quota().metadata.labels;
            child.data = json!({"spec": {}});
            let of_quota = held.apply_owned(tenant.as_ref(), child).await.map_err(io::Error::other)?.change;
            let map =
                DynamicObject::new("of-blue", &maps).within(NAMESPACE).data(json!({"data": {"a": "b"}}));
            let before = held.owned_dynamic(&maps, Some(NAMESPACE), "of-blue").map_err(io::Error::other)?;
            let applied = held.apply_owned(tenant.as_ref(), map).await.map_err(io::Error::other)?;
            let is_quota = |child: &DynamicObject| child.labels().contains_key("size");
            by_cache.lock().unwrap().extend([
                (of_quota, quota_before.is_some_and(|child| is_quota(&child))),
                (applied.change, before.is_some_and(|child| !is_quota(&child))),
            ]);
            let unknown = DynamicObject {
                types: None,
                metadata: ObjectMeta { name: Some("of-blue".to_owned()), ..ObjectMeta::default() },
                data: json!({}),
            };
            let of_no_type = held.apply_owned(tenant.as_ref(), unknown).await.unwrap_err();
            let not_declared =
                held.owned_dynamic(&ApiResource::erase::<Tenant>(&()), None, "of-blue").unwrap_err();
            *noted.lock().unwrap() = Some((of_no_type, not_declared));
            Ok::<_, io::Error>(Action::await_change())
        }
    });
    let _replica = Harness::spawn(network, app);
    is_kept_right(harness).await;
    let api: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    let data = api.get("of-blue").await.unwrap().data.unwrap();
    assert_eq!(data["a"], "b");
    api.delete("of-blue", &DeleteParams::default()).await.unwrap();
    let is_back = || async { api.get_opt("of-blue").await.unwrap().is_some() };
    harness.until("the ConfigMap to be created again", is_back).await;
    for (change, was_cached) in changes.lock().unwrap().iter() {
        let is_new = matches!(change, Change::Created | Change::Recreated);
        assert_eq!(*was_cached, !is_new, "each was found in its own cache: {changes:?}");
    }
    let mistakes = mistakes.lock().unwrap();
    let Some((ApplyError::UnknownType { .. }, OwnedError::NotDeclared { .. })) = &*mistakes else {
        panic!("{mistakes:?}")
    };
}
