//! The wanted number of shards in a ConfigMap: who reads it, and what is said about one that cannot be followed.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap, events::v1::Event};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    client::Body,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use shard_router::{Action, Held, Layout, Metrics, ShardedApp, ShardsConfigMap};
use tokio::task::JoinHandle;
use tower::{Service as _, service_fn};

use crate::{
    harness::{Harness, ID, NAMESPACE},
    widget::Widget,
};

const NAME: &str = "widget-shards";

/// Replicas that read the ConfigMap, and how often they have asked for it.
struct Fleet {
    harness: Harness,
    requests: Arc<AtomicUsize>,
    replicas: Vec<(Registry, JoinHandle<()>)>,
}

impl Fleet {
    async fn of(replicas: usize) -> Self {
        let mut fleet =
            Self { harness: Harness::new().await, requests: Arc::default(), replicas: Vec::new() };
        for number in 0..replicas {
            fleet.start(&format!("op-{number}"));
        }
        fleet
    }

    fn start(&mut self, pod: &str) {
        let (service, requests) = (self.harness.server().service(), self.requests.clone());
        let counting = service_fn(move |request: Request<Body>| {
            if request.uri().path().ends_with("/configmaps") && request.method() == Method::GET {
                requests.fetch_add(1, Ordering::Relaxed);
            }
            service.clone().call(request)
        });
        let config_map = ShardsConfigMap::new(NAMESPACE, NAME);
        let options = self.harness.options(pod, 4).with_shards_config_map(config_map);
        let mut registry = Registry::default();
        let mut app = ShardedApp::new(Client::new(counting, NAMESPACE), options)
            .metrics(Metrics::register(&mut registry));
        app.controller::<Widget>().run(|_: Arc<Widget>, _: Held| async {
            Ok::<_, std::convert::Infallible>(Action::await_change())
        });
        let task = tokio::spawn(async move { app.run(std::future::pending()).await.unwrap() });
        self.replicas.push((registry, task));
    }

    async fn say(&self, shards: &str) {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"shards": shards}});
        let maps: Api<ConfigMap> = Api::namespaced(self.harness.admin(), NAMESPACE);
        maps.patch(NAME, &PatchParams::apply("test").force(), &Patch::Apply(map)).await.unwrap();
    }

    async fn delete(&self) {
        let maps: Api<ConfigMap> = Api::namespaced(self.harness.admin(), NAMESPACE);
        maps.delete(NAME, &DeleteParams::default()).await.unwrap();
    }

    /// The committed number of shards, once it is settled.
    async fn settled(&self) -> Option<u16> {
        let leases: Api<Lease> = Api::namespaced(self.harness.admin(), NAMESPACE);
        let lease = leases.get_opt(ID).await.unwrap()?;
        let annotation = lease.annotations().iter().find(|(key, _)| key.ends_with("/layout"))?.1.clone();
        let layout: Layout = serde_json::from_str(&annotation).unwrap();
        layout.settled.then_some(layout.shards.get())
    }

    async fn until_settled(&self, shards: u16) {
        let reached = || async move { self.settled().await == Some(shards) };
        self.harness.until(&format!("{shards} shards"), reached).await;
    }

    /// How many replicas say that they have refused it.
    fn refusing(&self) -> usize {
        self.showing("shard_router_shard_count_refused 1")
    }

    /// How many replicas have this line in their metrics.
    fn showing(&self, line: &str) -> usize {
        let shows = |registry: &Registry| {
            let mut text = String::new();
            encode(&mut text, registry).unwrap();
            text.lines().any(|shown| shown == line)
        };
        self.replicas.iter().filter(|(registry, _)| shows(registry)).count()
    }

    /// The events about it.
    async fn events(&self) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.harness.admin(), NAMESPACE);
        let events = events.list(&ListParams::default()).await.unwrap();
        let about = |event: &Event| event.reason.as_deref() == Some("ShardCountRefused");
        events.items.into_iter().filter(about).map(|event| event.note.unwrap_or_default()).collect()
    }
}

/// One list and one watch, whatever the number of replicas, and one event for each refusal.
#[tokio::test(start_paused = true)]
async fn a_count_that_cannot_be_followed_is_refused_once_for_all_replicas() {
    let fleet = Fleet::of(3).await;
    fleet.say("300").await;
    fleet.harness.until("the refusal", || async { fleet.refusing() == 1 }).await;
    fleet.harness.until("an event", || async { !fleet.events().await.is_empty() }).await;
    let events = fleet.events().await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].contains("its key \"shards\" is \"300\"; set it to a number from 1 to 256"),
        "{events:?}"
    );
    assert_eq!(fleet.requests.load(Ordering::Relaxed), 2, "a list and a watch");

    fleet.say("16").await;
    fleet.harness.until("the correction", || async { fleet.refusing() == 0 }).await;
    fleet.say("many").await;
    fleet.harness.until("the next refusal", || async { fleet.events().await.len() == 2 }).await;
    assert_eq!(fleet.refusing(), 1);
    assert_eq!(fleet.requests.load(Ordering::Relaxed), 2, "the watch has shown the changes");
}

/// The options say 4.
#[tokio::test(start_paused = true)]
async fn the_config_map_changes_the_number_while_replicas_work() {
    let mut fleet = Fleet::of(2).await;
    fleet.say("2").await;
    fleet.until_settled(2).await;
    fleet.say("8").await;
    let pending = || async { fleet.showing("shard_router_layout_change_pending 1") == 1 };
    fleet.harness.until("the coordinator to show the change", pending).await;
    fleet.until_settled(8).await;
    let shown = || async {
        fleet.showing("shard_router_layout_shards 8") == 2
            && fleet.showing("shard_router_layout_change_pending 0") == 2
    };
    fleet.harness.until("both to show the new number", shown).await;
    fleet.say("0").await;
    fleet.harness.until("the refusal", || async { fleet.refusing() == 1 }).await;
    fleet.delete().await;
    fleet.harness.until("the refusal is over", || async { fleet.refusing() == 0 }).await;
    assert_eq!(fleet.settled().await, Some(8), "neither changes the layout");
    // The next coordinator is not one of those that have read it.
    for (_, replica) in fleet.replicas.drain(..) {
        replica.abort();
    }
    fleet.start("op-9");
    fleet.say("3").await;
    fleet.until_settled(3).await;
}

/// Nobody ever works with the number of the options in between.
#[tokio::test(start_paused = true)]
async fn the_first_layout_has_the_number_of_the_config_map() {
    let mut fleet = Fleet::of(0).await;
    fleet.say("6").await;
    fleet.start("op-0");
    fleet.harness.until("a layout", || async { fleet.settled().await.is_some() }).await;
    assert_eq!(fleet.settled().await, Some(6));
}
