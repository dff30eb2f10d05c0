//! What makes a reconcile happen: predicates, triggers from outside, and one's own writes.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::stream;
use http::{Method, Request};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    client::Body,
    runtime::{events::EventType, predicates, reflector::ObjectRef},
};
use serde_json::json;
use shard_router::{Action, Held, Options, ShardedApp};
use tokio::sync::{broadcast, mpsc};
use tower::{Service as _, service_fn};

use crate::{
    harness::{HUNG, Harness, NAMESPACE},
    widget::{LABEL, Widget, create},
};

/// How often each widget was reconciled, and by whom.
type Reconciles = Arc<Mutex<BTreeMap<String, Vec<&'static str>>>>;

fn count(reconciles: &Reconciles, name: &str) -> usize {
    reconciles.lock().unwrap().get(name).map_or(0, Vec::len)
}

/// Without a resync, which would reconcile everything anyway.
fn options(harness: &Harness, pod: &str, shards: u16) -> Options {
    let mut options = harness.options(pod, shards);
    options.resync = None;
    options
}

async fn settle(harness: &Harness) {
    harness.clock.sleep(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_predicate_holds_back_what_is_no_news_and_nothing_else() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (network, mut app) = harness.app(options(&harness, "op-0", 1));
    let reconciles = Reconciles::default();
    let noted = reconciles.clone();
    app.controller::<Widget>().predicate(predicates::generation).run(move |widget: Arc<Widget>, _: Held| {
        noted.lock().unwrap().entry(widget.name_any()).or_default().push("op-0");
        // The first reconcile fails, and the second is the retry.
        let fails = count(&noted, "w") == 1;
        async move { if fails { Err(std::io::Error::other("once")) } else { Ok(Action::await_change()) } }
    });
    let _replica = Harness::spawn(network, app);
    harness.until("the retry", || async { count(&reconciles, "w") == 2 }).await;
    let patch = |patch: serde_json::Value| {
        let widgets = harness.widgets.clone();
        async move { widgets.patch("w", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap() }
    };
    patch(json!({"metadata": {"annotations": {"a": "b"}}})).await;
    settle(&harness).await;
    assert_eq!(count(&reconciles, "w"), 2, "an annotation is no news");

    patch(json!({"spec": {"size": 3}})).await;
    harness.until("a new generation to be reconciled", || async { count(&reconciles, "w") == 3 }).await;

    // It leaves the cache and comes back. Had a retry come due meanwhile, it would have been dropped.
    patch(json!({"metadata": {"labels": {LABEL: null}}})).await;
    harness.until("one that was away to be reconciled", || async { count(&reconciles, "w") == 4 }).await;

    patch(json!({"metadata": {"finalizers": ["example.com/kept"]}})).await;
    settle(&harness).await;
    let before = count(&reconciles, "w");
    harness.widgets.delete("w", &DeleteParams::default()).await.unwrap();
    harness.until("the deletion to be reconciled", || async { count(&reconciles, "w") > before }).await;
    let before = count(&reconciles, "w");
    patch(json!({"metadata": {"annotations": {"a": "c"}}})).await;
    harness
        .until("a change of one that is being deleted to be reconciled", || async {
            count(&reconciles, "w") > before
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_from_outside_reaches_the_holder_and_nobody_else() {
    const SHARDS: u16 = 4;
    let harness = Harness::new().await;
    let names: Vec<_> = (0..8).map(|number| format!("widget-{number}")).collect();
    for name in &names {
        create(&harness.widgets, name, &[]).await;
    }
    let (trigger, _) = broadcast::channel::<ObjectRef<Widget>>(64);
    let reconciles = Reconciles::default();
    let _replicas = ["op-0", "op-1"].map(|pod| {
        let (network, mut app) = harness.app(options(&harness, pod, SHARDS));
        let (noted, triggers) = (reconciles.clone(), trigger.subscribe());
        let triggers = stream::unfold(triggers, |mut triggers| async {
            let reference = triggers.recv().await.ok()?;
            Some((reference, triggers))
        });
        app.controller::<Widget>().reconcile_on(triggers).run(move |widget: Arc<Widget>, _: Held| {
            noted.lock().unwrap().entry(widget.name_any()).or_default().push(pod);
            async { Ok::<_, std::io::Error>(Action::await_change()) }
        });
        Harness::spawn(network, app)
    });
    // Each has two shards, and everything has been reconciled there.
    harness.clock.sleep(Duration::from_secs(120)).await;
    let before = reconciles.lock().unwrap().clone();
    assert_eq!(before.len(), names.len());
    for name in names.iter().chain(["nobody".to_owned()].iter()) {
        trigger.send(ObjectRef::new(name).within(NAMESPACE)).unwrap();
    }
    let all = || async {
        let reconciles = reconciles.lock().unwrap();
        names.iter().all(|name| reconciles[name].len() == before[name].len() + 1)
    };
    harness.until("each to be reconciled once more", all).await;
    settle(&harness).await;
    let after = reconciles.lock().unwrap();
    assert_eq!(after.len(), names.len(), "one that is not there was reconciled");
    for name in &names {
        assert_eq!(after[name].len(), before[name].len() + 1, "{name}");
        assert_eq!(after[name].last(), before[name].last(), "{name} was reconciled by somebody else");
    }
    let replicas: std::collections::BTreeSet<_> = after.values().filter_map(|by| by.last()).collect();
    assert_eq!(replicas.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_there_already_costs_no_request_and_events_fold() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (status_writes, service) = (Arc::new(AtomicU64::new(0)), harness.server().service());
    let counted = status_writes.clone();
    let client = Client::new(
        service_fn(move |request: Request<Body>| {
            let is_status = request.method() == Method::PATCH && request.uri().path().ends_with("/w/status");
            counted.fetch_add(u64::from(is_status), Ordering::SeqCst);
            service.clone().call(request)
        }),
        NAMESPACE,
    );
    let mut app = ShardedApp::new(client, options(&harness, "op-0", 1));
    let (done, mut reconciled) = mpsc::unbounded_channel();
    let (again, mut rounds) = broadcast::channel::<()>(8);
    let triggers = stream::unfold(again.subscribe(), |mut again| async {
        again.recv().await.ok()?;
        Some((ObjectRef::new("w").within(NAMESPACE), again))
    });
    rounds.try_recv().unwrap_err();
    app.controller::<Widget>().reconcile_on(triggers).predicate(predicates::generation).run(
        move |widget: Arc<Widget>, held: Held| {
            let done = done.clone();
            async move {
                // The API server drops what the definition does not know, so the field has to be one that it does.
                let bucket = held.bucket();
                let after = held.patch_status(&*widget, json!({"bucket": bucket})).await?;
                held.event(&*widget, EventType::Normal, "Applied", "All is applied.").await?;
                done.send(after.status.and_then(|status| status.bucket)).unwrap();
                Ok::<_, kube::Error>(Action::await_change())
            }
        },
    );
    let _replica = tokio::spawn(app.run(std::future::pending()));
    let mut reconcile =
        async || tokio::time::timeout(HUNG, reconciled.recv()).await.expect("a reconcile").unwrap();
    let first = reconcile().await;
    assert!(first.is_some());
    settle(&harness).await;
    again.send(()).unwrap();
    assert_eq!(reconcile().await, first);
    assert_eq!(status_writes.load(Ordering::SeqCst), 1, "a status that was there was written again");
    let events: Api<Event> = Api::namespaced(harness.admin(), NAMESPACE);
    let of_widget = |event: &Event| {
        event.regarding.as_ref().is_some_and(|regarding| regarding.kind.as_deref() == Some("Widget"))
    };
    let events = events.list(&ListParams::default()).await.unwrap();
    let events: Vec<_> = events.into_iter().filter(of_widget).collect();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].series.as_ref().map(|series| series.count), Some(2));
}
