//! Replicas of one installation that watch different namespaces: it is reported for as long as it lasts, and stops nobody.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use kube::ResourceExt;
use prometheus_client::{encoding::text::encode, registry::Registry};
use shard_router::{Action, Held, Metrics, Readiness, ReadinessProbe};

use crate::{
    harness::{Harness, NAMESPACE, Replica},
    log::Log,
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const DIFFER: &str =
    "WARN shard_router::replica::other_namespaces: replicas of this installation watch different namespaces";
const AGREE: &str =
    "INFO shard_router::replica::other_namespaces: all replicas watch the same namespaces again";
const OLD: &str = "this one watches namespaces elsewhere, ";
const NEW: &str = "this one watches namespaces default,elsewhere, ";

struct Watching {
    replica: Replica,
    readiness: ReadinessProbe,
    registry: Registry,
    reconciled: Arc<Mutex<BTreeSet<String>>>,
}

impl Watching {
    fn start(harness: &Harness, pod: &str, namespaces: &[&str]) -> Self {
        let options = harness.options(pod, SHARDS).with_watch_namespaces(namespaces.iter().copied());
        let (network, app) = harness.app(options);
        let mut registry = Registry::default();
        let app = app.metrics(Metrics::register(&mut registry));
        let readiness = app.readiness();
        let reconciled = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = reconciled.clone();
        let reconcile = move |widget: Arc<Widget>, _: Held| {
            seen.lock().expect("no panic").insert(widget.name_any());
            async { Ok::<_, Infallible>(Action::await_change()) }
        };
        let replica = Harness::run((network, app), reconcile);
        Self { replica, readiness, registry, reconciled }
    }

    /// How many others differ, as its metric has it.
    fn differing(&self) -> usize {
        const NAME: &str = "shard_router_replicas_with_other_namespaces ";
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(NAME));
        line.unwrap_or_else(|| panic!("{NAME} is missing in {text}")).parse().expect("a number")
    }

    fn holds(&self) -> usize {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text");
        text.lines()
            .filter(|line| line.starts_with("shard_router_shard_owned{") && line.ends_with(" 1"))
            .count()
    }

    fn is_ready(&self) -> bool {
        self.readiness.get() == Readiness::Ready
    }
}

/// The namespace of the widgets is added by a rolling update.
#[tokio::test(start_paused = true)]
async fn a_rolling_update_of_the_namespaces_is_reported_while_it_lasts_and_completes() {
    let harness = Harness::new().await;
    let (log, _guard) = Log::capture();
    let mut widgets = BTreeSet::new();
    for n in 0..12 {
        let name = format!("w{n}");
        create(&harness.widgets, &name, &[]).await;
        widgets.insert(name);
    }
    let old = Watching::start(&harness, "old-0", &["elsewhere"]);
    harness.until("it to hold all shards", || async { old.is_ready() && old.holds() == 4 }).await;
    assert_eq!((old.differing(), log.count(DIFFER)), (0, 0), "{}", log.text());

    let new = Watching::start(&harness, "new-0", &["elsewhere", NAMESPACE, "elsewhere"]);
    harness.until("half of the shards to be handed over", || async { new.holds() == 2 }).await;
    assert!(old.is_ready() && new.is_ready(), "a rolling update waits for readiness");
    assert_eq!((old.differing(), new.differing()), (1, 1));
    let says = |own| log.text().lines().filter(|line| line.contains(DIFFER) && line.contains(own)).count();
    assert_eq!((says(OLD), says(NEW), log.count(DIFFER)), (1, 1, 2), "{}", log.text());
    harness
        .until("the new one to stamp and reconcile what is in its shards", || async {
            let reconciled = new.reconciled.lock().expect("no panic");
            !reconciled.is_empty() && reconciled.is_subset(&widgets)
        })
        .await;
    assert!(new.reconciled.lock().expect("no panic").len() < widgets.len(), "who reconciles the others?");

    old.replica.stop.send(()).expect("it runs");
    harness
        .until("all widgets to be reconciled", || async {
            *new.reconciled.lock().expect("no panic") == widgets
        })
        .await;
    harness.until("the difference to be over", || async { new.differing() == 0 }).await;
    assert_eq!((log.count(DIFFER), log.count(AGREE)), (2, 1), "{}", log.text());
    assert!(new.is_ready());
}

#[tokio::test(start_paused = true)]
async fn replicas_that_watch_the_same_namespaces_say_nothing() {
    let (log, _guard) = Log::capture();
    for namespaces in [["elsewhere", NAMESPACE].as_slice(), &[]] {
        let harness = Harness::new().await;
        let one = Watching::start(&harness, "op-0", namespaces);
        let reversed: Vec<_> = namespaces.iter().copied().rev().collect();
        let other = Watching::start(&harness, "op-1", &reversed);
        harness.until("both to work", || async { one.holds() == 2 && other.holds() == 2 }).await;
        assert_eq!((one.differing(), other.differing(), log.count(DIFFER)), (0, 0, 0), "{}", log.text());
    }
}
