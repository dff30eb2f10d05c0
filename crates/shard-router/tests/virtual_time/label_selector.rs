//! A kind of which only the resources with certain labels are taken.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::json;
use shard_router::{Action, Held, Readiness, ShardedApp};
use tower::{Service as _, service_fn};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::LABEL,
};

type Names = Arc<Mutex<Vec<String>>>;

struct Selected {
    harness: Harness,
    maps: Api<ConfigMap>,
    reconciled: Names,
    /// Which ConfigMaps were written.
    written: Names,
}

impl Selected {
    async fn new() -> Self {
        let harness = Harness::new().await;
        let maps = Api::namespaced(harness.admin(), NAMESPACE);
        let selected = Self { harness, maps, reconciled: Names::default(), written: Names::default() };
        for name in ["ours", "ours-too"] {
            selected.create(name, "yes").await;
        }
        selected.create("theirs", "no").await;
        selected
    }

    async fn create(&self, name: &str, ours: &str) {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(name.to_owned());
        map.labels_mut().insert("ours".to_owned(), ours.to_owned());
        self.maps.create(&PostParams::default(), &map).await.unwrap();
    }

    fn app(&self) -> ShardedApp {
        let (written, service) = (self.written.clone(), self.harness.server().service());
        let client = Client::new(
            service_fn(move |request: Request<Body>| {
                if let Some((_, name)) = request.uri().path().split_once("/configmaps/")
                    && request.method() != Method::GET
                {
                    written.lock().unwrap().push(name.to_owned());
                }
                service.clone().call(request)
            }),
            NAMESPACE,
        );
        let mut options = self.harness.options("op-0", 2);
        options.resync = None;
        ShardedApp::new(client, options)
    }

    fn reconcile(
        &self,
    ) -> impl Fn(Arc<ConfigMap>, Held) -> std::future::Ready<Result<Action, Infallible>> + use<> {
        let reconciled = self.reconciled.clone();
        move |map, _| {
            reconciled.lock().unwrap().push(map.name_any());
            std::future::ready(Ok(Action::await_change()))
        }
    }

    fn names(names: &Names) -> BTreeSet<String> {
        names.lock().unwrap().iter().cloned().collect()
    }

    async fn until_reconciled(&self, names: &[&str]) {
        let all: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let what = format!("{all:?} to be reconciled");
        self.harness.until(&what, || async { Self::names(&self.reconciled) == all }).await;
        // Long enough for anything else to be stamped and reconciled, by a replica that is not the coordinator as well.
        self.harness.clock.sleep(Duration::from_secs(120)).await;
        assert_eq!(Self::names(&self.reconciled), all);
    }

    async fn label(&self, name: &str, ours: &str) {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"ours": ours}}}));
        self.maps.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_a_selector_selects_is_stamped_watched_and_reconciled() {
    let selected = Selected::new().await;
    let mut app = selected.app();
    app.controller::<ConfigMap>().labels("ours=yes").run(selected.reconcile());
    let readiness = app.readiness();
    let _replica = tokio::spawn(app.run(std::future::pending()));
    selected.until_reconciled(&["ours", "ours-too"]).await;
    assert_eq!(
        *selected.written.lock().unwrap(),
        ["ours", "ours-too"],
        "one write for each stamp, and no other"
    );
    assert!(!selected.maps.get("theirs").await.unwrap().labels().contains_key(LABEL));
    assert_eq!(readiness.get(), Readiness::Ready);

    // What does not match any more is not reconciled, and keeps its label.
    selected.label("ours-too", "no").await;
    selected.label("ours", "yes").await;
    selected.reconciled.lock().unwrap().clear();
    let touch = Patch::Merge(json!({"data": {"a": "b"}}));
    for name in ["ours", "ours-too", "theirs"] {
        selected.maps.patch(name, &PatchParams::default(), &touch).await.unwrap();
    }
    selected.until_reconciled(&["ours"]).await;
    assert!(selected.maps.get("ours-too").await.unwrap().labels().contains_key(LABEL));

    // What matches now is.
    selected.label("theirs", "yes").await;
    selected.until_reconciled(&["ours", "theirs"]).await;
    assert!(selected.maps.get("theirs").await.unwrap().labels().contains_key(LABEL));
}

#[tokio::test(start_paused = true)]
async fn an_unsharded_kind_can_have_a_selector() {
    let selected = Selected::new().await;
    let mut app = selected.app();
    app.unsharded::<ConfigMap>().labels("ours=yes").run(selected.reconcile());
    let _replica = tokio::spawn(app.run(std::future::pending()));
    selected.until_reconciled(&["ours", "ours-too"]).await;
    assert_eq!(Selected::names(&selected.written), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_cannot_be_parsed_is_told_in_readiness() {
    for is_sharded in [true, false] {
        let selected = Selected::new().await;
        let mut app = selected.app();
        let controller =
            if is_sharded { app.controller::<ConfigMap>() } else { app.unsharded::<ConfigMap>() };
        controller.labels("ours in (yes").run(selected.reconcile());
        let readiness = app.readiness();
        let _replica = tokio::spawn(app.run(std::future::pending()));
        let says = || async {
            matches!(readiness.get(), Readiness::NotReady { because } if because.contains("configmaps") && because.contains("unable to parse requirement"))
        };
        selected.harness.until("a sentence", says).await;
        assert_eq!(Selected::names(&selected.reconciled), BTreeSet::new());
    }
}

/// Two replicas in the middle of a rolling update.
#[tokio::test(start_paused = true)]
async fn with_different_selectors_a_resource_is_reconciled_while_its_shard_is_held_by_a_replica_that_selects_it()
 {
    let selected = Selected::new().await;
    let by = Arc::new(Mutex::new(BTreeSet::new()));
    let start = |pod: &'static str, labels: &str| {
        let (network, mut app) = selected.harness.app(selected.harness.options(pod, 2).with_resync(None));
        let by = by.clone();
        app.controller::<ConfigMap>().labels(labels).run(move |map: Arc<ConfigMap>, _: Held| {
            by.lock().unwrap().insert((map.name_any(), pod));
            std::future::ready(Ok::<_, Infallible>(Action::await_change()))
        });
        let readiness = app.readiness();
        (Harness::spawn(network, app), readiness)
    };
    let (old, _) = start("op-0", "ours=yes");
    let has = |name: &str, pod: &'static str| by.lock().unwrap().contains(&(name.to_owned(), pod));
    selected.harness.until("the old one to reconcile", || async { has("ours", "op-0") }).await;
    let (_new, readiness) = start("op-1", "ours in (yes,no)");
    selected.harness.until("the new one to work", || async { readiness.get() == Readiness::Ready }).await;
    assert!(!has("theirs", "op-0"));
    drop(old.stop);
    old.task.await.unwrap().unwrap();
    let all = || async { ["ours", "ours-too", "theirs"].iter().all(|name| has(name, "op-1")) };
    selected.harness.until("the new one to reconcile everything", all).await;
    assert!(!has("theirs", "op-0"));
}
