//! What `Held::apply_owned` makes of children that cannot be applied as they are, and of Secrets.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Request};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, ResourceExt, api::PostParams, client::Body, core::ObjectMeta};
use shard_router::{Action, Applied, ApplyError, Change, Held, OwnedResource, Sharded, ShardedApp};
use tokio::sync::mpsc;
use tower::{Service as _, service_fn};

use crate::{
    harness::{HUNG, Harness, NAMESPACE},
    judged_run::{Run, Tenant, TenantSpec},
    widget::{Widget, create},
};

/// What the first reconcile of a resource of this kind gets for this child.
async fn first_apply<K, C>(run: &Run, child: C) -> Result<Applied<C>, ApplyError>
where
    K: Sharded,
    C: OwnedResource,
{
    let (network, mut app) = run.app("op-0", 1);
    let (done, mut results) = mpsc::unbounded_channel();
    app.controller::<K>().owns::<C>().run(move |object: Arc<K>, held: Held| {
        let (done, child) = (done.clone(), child.clone());
        async move {
            drop(done.send(held.apply_owned(object.as_ref(), child).await));
            Ok::<_, Infallible>(Action::await_change())
        }
    });
    let _replica = Harness::spawn(network, app);
    tokio::time::timeout(HUNG, results.recv()).await.expect("a reconcile").unwrap()
}

fn map(namespace: Option<&str>) -> ConfigMap {
    let metadata = ObjectMeta {
        name: Some("child".to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

async fn tenant(run: &Run) {
    let tenants: Api<Tenant> = Api::all(run.harness.admin());
    tenants.create(&PostParams::default(), &Tenant::new("blue", TenantSpec {})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_cluster_scoped_owner_has_to_say_its_namespace() {
    let run = Run::new().await;
    tenant(&run).await;
    for nowhere in [None, Some("")] {
        let refused = first_apply::<Tenant, _>(&run, map(nowhere)).await.unwrap_err();
        assert!(matches!(refused, ApplyError::NoNamespace { .. }), "{refused:?}");
        assert_eq!(
            refused.to_string(),
            "ConfigMap child has no metadata.namespace, and its owner has none either; set the namespace of the child"
        );
    }
    let applied = first_apply::<Tenant, _>(&run, map(Some(NAMESPACE))).await.unwrap();
    assert_eq!(applied.change, Change::Created);
}

/// The garbage collector would delete it.
#[tokio::test(start_paused = true)]
async fn a_child_in_another_namespace_than_its_owner_is_refused() {
    let run = Run::new().await;
    create(&run.harness.widgets, "w", &[]).await;
    let refused = first_apply::<Widget, _>(&run, map(Some("elsewhere"))).await.unwrap_err();
    assert!(matches!(refused, ApplyError::OtherNamespace { .. }), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        "ConfigMap child is in the namespace elsewhere and its owner in default; an owner has to be in the same namespace or \
         cluster-scoped"
    );
    let applied = first_apply::<Widget, _>(&run, map(None)).await.unwrap();
    assert_eq!(applied.object.unwrap().namespace().as_deref(), Some(NAMESPACE), "that of its owner");
}

/// The API server never returns `stringData`, so it would always differ.
#[tokio::test(start_paused = true)]
async fn the_string_data_of_a_secret_is_applied_as_data_and_costs_a_request_once() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (writes, service) = (Arc::new(AtomicUsize::new(0)), harness.server().service());
    let counted = writes.clone();
    let client = Client::new(
        service_fn(move |request: Request<Body>| {
            let is_write = request.method() != Method::GET && request.uri().path().contains("/secrets");
            counted.fetch_add(usize::from(is_write), Ordering::SeqCst);
            service.clone().call(request)
        }),
        NAMESPACE,
    );
    let mut app = ShardedApp::new(client, harness.options("op-0", 1).with_resync(Duration::from_secs(60)));
    let reconciles = Arc::new(AtomicUsize::new(0));
    let counts = reconciles.clone();
    app.controller::<Widget>().owns::<Secret>().run(move |widget: Arc<Widget>, held: Held| {
        let counts = counts.clone();
        async move {
            let secret = Secret {
                metadata: ObjectMeta { name: Some(widget.name_any()), ..ObjectMeta::default() },
                data: Some([("token".to_owned(), ByteString(b"t".to_vec()))].into()),
                string_data: Some([("password".to_owned(), "geheim".to_owned())].into()),
                ..Secret::default()
            };
            held.apply_owned(widget.as_ref(), secret).await?;
            counts.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ApplyError>(Action::await_change())
        }
    });
    let _replica = tokio::spawn(app.run(std::future::pending()));
    harness.until("some resyncs", || async { reconciles.load(Ordering::SeqCst) >= 4 }).await;
    let secrets: Api<Secret> = Api::namespaced(harness.admin(), NAMESPACE);
    let secret = secrets.get("w").await.unwrap();
    let data: BTreeMap<_, _> = secret.data.iter().flatten().map(|(key, value)| (&**key, &*value.0)).collect();
    assert_eq!(data, [("password", &b"geheim"[..]), ("token", &b"t"[..])].into());
    assert_eq!(writes.load(Ordering::SeqCst), 1, "a Secret that is as wanted was written again");
}
