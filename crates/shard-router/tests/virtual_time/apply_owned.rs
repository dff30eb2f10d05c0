//! What a reconcile applies with `Held::apply_owned`.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, Request};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::json;
use shard_router::{Action, ApplyError, Change, Held, ShardedApp};
use tokio::{sync::mpsc, task::JoinHandle};
use tower::{Service as _, service_fn};

use crate::{
    harness::{HUNG, Harness, NAMESPACE},
    widget::{LABEL, Widget, create},
};

/// What became of the child in one reconcile.
type Seen = Result<(Change, usize), String>;

/// One replica, whose reconcile applies a ConfigMap for each widget.
struct Applying {
    harness: Harness,
    config_maps: Api<ConfigMap>,
    /// How many requests for ConfigMaps were sent, watches and lists left out.
    requests: Arc<AtomicU64>,
    /// What is applied.
    wanted: Arc<Mutex<String>>,
    reconciles: mpsc::UnboundedReceiver<Seen>,
    _replica: JoinHandle<()>,
}

impl Applying {
    /// Without a resync: what is repeated is repeated for another reason.
    async fn new() -> Self {
        Self::resyncing(None).await
    }

    async fn resyncing(resync: Option<Duration>) -> Self {
        let harness = Harness::new().await;
        let (requests, service) = (Arc::new(AtomicU64::new(0)), harness.server().service());
        let counted = requests.clone();
        let client = Client::new(
            service_fn(move |request: Request<Body>| {
                let names_one = request.uri().path().contains("/configmaps/");
                let counts = names_one || request.method() != Method::GET;
                let is_of_children = request.uri().path().contains("/configmaps");
                counted.fetch_add(u64::from(counts && is_of_children), Ordering::SeqCst);
                service.clone().call(request)
            }),
            NAMESPACE,
        );
        let mut options = harness.options("op-0", 1).with_product("site-operator/1.0");
        options.resync = resync;
        let mut app = ShardedApp::new(client, options);
        let (done, reconciles) = mpsc::unbounded_channel();
        let wanted = Arc::new(Mutex::new("<p>".to_owned()));
        let wants = wanted.clone();
        app.controller::<Widget>().owns::<ConfigMap>().run(move |widget: Arc<Widget>, held: Held| {
            let (done, text) = (done.clone(), wants.lock().unwrap().clone());
            async move {
                let child = ConfigMap {
                    metadata: kube::core::ObjectMeta { name: Some(widget.name_any()), ..Default::default() },
                    data: Some([("index.html".to_owned(), text)].into()),
                    ..ConfigMap::default()
                };
                let applied = held.apply_owned(&*widget, child).await;
                let seen = applied.as_ref().map(|applied| (applied.change.clone(), applied.disputes.len()));
                done.send(seen.map_err(ToString::to_string)).unwrap();
                applied.map(|_| Action::await_change())
            }
        });
        let replica = tokio::spawn(async move { drop(app.run(std::future::pending()).await) });
        let config_maps = Api::namespaced(harness.admin(), NAMESPACE);
        Self { harness, config_maps, requests, wanted, reconciles, _replica: replica }
    }

    async fn reconcile(&mut self) -> Seen {
        tokio::time::timeout(HUNG, self.reconciles.recv()).await.expect("a reconcile").unwrap()
    }

    /// Reconciles until something else happens than nothing.
    async fn change(&mut self) -> Change {
        loop {
            match self.reconcile().await.expect("it is applied").0 {
                Change::None => {}
                change => return change,
            }
        }
    }

    /// How many requests this takes.
    fn requests_since(&self, before: u64) -> u64 {
        self.requests.load(Ordering::SeqCst) - before
    }

    async fn edit(&self, patch: serde_json::Value) {
        self.config_maps.patch("w", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn text(&self) -> String {
        self.config_maps.get("w").await.unwrap().data.unwrap()["index.html"].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_is_created_with_one_request_and_as_wanted_costs_none() {
    let mut applying = Applying::resyncing(Some(Duration::from_secs(60))).await;
    create(&applying.harness.widgets, "w", &[]).await;
    assert_eq!(applying.change().await, Change::Created);
    assert_eq!(applying.requests_since(0), 1);
    let child = applying.config_maps.get("w").await.unwrap();
    let widget = applying.harness.widgets.get("w").await.unwrap();
    assert_eq!(child.owner_references(), [widget.controller_owner_ref(&()).unwrap()]);
    assert_eq!(child.labels().get(LABEL), widget.labels().get(LABEL));
    assert_eq!(child.managed_fields()[0].manager.as_deref(), Some("site-operator"));
    for _resync in 0..3 {
        assert_eq!(applying.reconcile().await, Ok((Change::None, 0)));
    }
    assert_eq!(applying.requests_since(0), 1, "a child that is as wanted costs a request");
}

#[tokio::test(start_paused = true)]
async fn drift_is_restored_and_what_is_not_applied_is_left_alone() {
    let mut applying = Applying::new().await;
    create(&applying.harness.widgets, "w", &[]).await;
    assert_eq!(applying.change().await, Change::Created);
    // Beyond the first pause after the creation.
    applying.harness.clock.sleep(Duration::from_secs(90)).await;
    applying.edit(json!({"metadata": {"annotations": {"theirs": "1"}}})).await;
    applying.edit(json!({"data": {"index.html": "<b>", "theirs": "1"}})).await;
    let Change::Restored(fields) = applying.change().await else { panic!("it is restored") };
    assert!(fields.starts_with("data.index.html"), "{fields}");
    let child = applying.config_maps.get("w").await.unwrap();
    assert_eq!(child.data.unwrap().get("theirs").map(String::as_str), Some("1"));
    assert_eq!(applying.text().await, "<p>");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_lost_its_bucket_label_is_found_and_labelled_again() {
    let mut applying = Applying::new().await;
    create(&applying.harness.widgets, "w", &[]).await;
    assert_eq!(applying.change().await, Change::Created);
    applying.harness.clock.sleep(Duration::from_secs(90)).await;
    let before = applying.requests.load(Ordering::SeqCst);
    applying.edit(json!({"metadata": {"labels": {LABEL: null}}})).await;
    let change = applying.change().await;
    assert!(
        matches!(&change, Change::Restored(fields) if fields.starts_with("metadata.labels")),
        "{change:?}"
    );
    assert_eq!(applying.requests_since(before), 3, "a create that conflicts, a read, and the apply");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_keeps_changing_a_child_is_answered_less_and_less_often() {
    const EDITS: u64 = 600;
    let mut applying = Applying::new().await;
    create(&applying.harness.widgets, "w", &[]).await;
    assert_eq!(applying.change().await, Change::Created);
    applying.harness.clock.sleep(Duration::from_secs(90)).await;
    while applying.reconciles.try_recv().is_ok() {}
    for number in 0..EDITS {
        applying.edit(json!({"data": {"index.html": format!("<b>{number}")}})).await;
        applying.harness.clock.sleep(Duration::from_secs(1)).await;
    }
    let mut restored = 0;
    while let Ok(seen) = applying.reconciles.try_recv() {
        restored += u64::from(matches!(seen, Ok((Change::Restored(_), _))));
    }
    // At once, and after pauses of 1, 2, 4, … 256 seconds.
    assert!((8..=11).contains(&restored), "{restored} of {EDITS} edits were answered");
    // The reconcile asks for nothing, and is repeated nevertheless when the pause is over.
    assert!(matches!(applying.change().await, Change::Restored(_)));
    assert_eq!(applying.text().await, "<p>");
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_now_is_applied_even_during_a_pause() {
    let mut applying = Applying::new().await;
    create(&applying.harness.widgets, "w", &[]).await;
    assert_eq!(applying.change().await, Change::Created);
    // At the end, the pause after the last restoration has 7 of its 16 seconds left.
    for number in 0..8 {
        applying.edit(json!({"data": {"index.html": format!("<b>{number}")}})).await;
        applying.harness.clock.sleep(Duration::from_secs(3)).await;
    }
    while applying.reconciles.try_recv().is_ok() {}
    "<i>".clone_into(&mut applying.wanted.lock().unwrap());
    let edit = json!({"spec": {"size": 3}});
    applying.harness.widgets.patch("w", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
    assert_eq!(applying.change().await, Change::Updated);
    assert_eq!(applying.text().await, "<i>");
}

#[tokio::test(start_paused = true)]
async fn a_strangers_object_is_left_alone_and_the_error_says_whose_it_is() {
    let mut applying = Applying::new().await;
    let stranger: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "w"}, "data": {"a": "b"}})).unwrap();
    let stranger = applying.config_maps.create(&PostParams::default(), &stranger).await.unwrap();
    create(&applying.harness.widgets, "w", &[]).await;
    let refused = applying.reconcile().await.expect_err("it is not ours");
    assert!(refused.contains("ConfigMap w exists and does not belong to this Widget"), "{refused}");
    let there = applying.config_maps.get("w").await.unwrap();
    assert_eq!(there.resource_version(), stranger.resource_version());
    applying.config_maps.delete("w", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        loop {
            if let Ok((change, _)) = applying.reconcile().await {
                break change;
            }
        },
        Change::Created
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_without_a_name_is_refused_with_a_sentence() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (network, mut app) = harness.app(harness.options("op-0", 1));
    let (done, mut refused) = mpsc::unbounded_channel();
    app.controller::<Widget>().owns::<ConfigMap>().run(move |widget: Arc<Widget>, held: Held| {
        let done = done.clone();
        async move {
            let applied = held.apply_owned(&*widget, ConfigMap::default()).await;
            done.send(applied.map(drop).unwrap_err()).unwrap();
            Ok::<_, ApplyError>(Action::await_change())
        }
    });
    let _replica = Harness::spawn(network, app);
    let error = tokio::time::timeout(HUNG, refused.recv()).await.expect("a reconcile").unwrap();
    assert!(matches!(error, ApplyError::NoName { .. }), "{error}");
}
