//! The takeover barrier: what a new holder lists first is not older than its acquisition.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt, client::Body};
use shard_router::{Action, Held, ShardedApp};
use tokio::sync::oneshot;
use tower::Service;

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

/// A list with `resourceVersion=0` may be answered from a cache of any age, of children as well as of resources.
#[tokio::test(start_paused = true)]
async fn no_list_of_a_shard_may_come_from_an_old_cache() {
    let harness = Harness::new().await;
    create(&harness.widgets, "one", &[]).await;
    let lists = Arc::<Mutex<BTreeSet<(String, bool)>>>::default();
    let (noted, mut service) = (lists.clone(), harness.server().service());
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let is_of_a_shard = query.contains("+in+%28") || query.contains("%20in%20%28");
            if request.method() == Method::GET && is_of_a_shard && !query.contains("watch=true") {
                let plural = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
                noted.lock().unwrap().insert((plural, query.contains("resourceVersion=")));
            }
            service.call(request)
        }),
        NAMESPACE,
    );
    let done = Arc::<Mutex<BTreeSet<String>>>::default();
    let seen = done.clone();
    let reconcile = move |widget: Arc<Widget>, _: Held| {
        seen.lock().unwrap().insert(widget.name_any());
        async { Ok::<_, Infallible>(Action::await_change()) }
    };
    let mut app = ShardedApp::new(client, harness.options("pod", 1));
    app.controller::<Widget>().owns::<ConfigMap>().run(reconcile);
    let (_stop, stopped) = oneshot::channel::<()>();
    let _replica = tokio::spawn(app.run(async { drop(stopped.await) }));
    harness.until("the widget to be reconciled", || async { !done.lock().unwrap().is_empty() }).await;
    let expected = ["configmaps", "widgets"].map(|plural| (plural.to_owned(), false));
    assert_eq!(*lists.lock().unwrap(), BTreeSet::from(expected));
}
