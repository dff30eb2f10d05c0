//! Types that resources depend on and do not own: one watch for all shards, and what it makes due.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use lease_core::Timings;
use serde_json::json;
use shard_router::{Action, Held, OwnedResource, Readiness, ShardedApp, WatchedError};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const WIDGETS: usize = 8;
const USES: &str = "uses";

/// What each widget read at each of its reconciles.
type Seen = Arc<Mutex<BTreeMap<String, Vec<Option<String>>>>>;

/// The widgets that name this object.
fn users<W: OwnedResource>(object: &W, widgets: &Store<Widget>) -> Vec<ObjectRef<Widget>> {
    let name = object.meta().name.as_ref();
    let widgets = widgets.state();
    let users = widgets.iter().filter(|widget| widget.labels().get(USES) == name);
    users.map(|widget| ObjectRef::from_obj(widget.as_ref())).collect()
}

/// Widgets that depend on ConfigMaps; half of them on the map `even`, half on `odd`.
fn declare(app: &mut ShardedApp, seen: &Seen, again: Option<Duration>) {
    let noted = seen.clone();
    app.controller::<Widget>().watches::<ConfigMap, _>(watcher::Config::default(), users).run(
        move |widget: Arc<Widget>, held: Held| {
            let read = held.watched::<ConfigMap>(NAMESPACE, &widget.labels()[USES]).map(|map| {
                let version = map.and_then(|map| map.data.as_ref()?.get("version").cloned());
                noted.lock().unwrap().entry(widget.name_any()).or_default().push(version);
                again.map_or_else(Action::await_change, Action::requeue)
            });
            async { read.map_err(Box::<WatchedError>::new) }
        },
    );
}

async fn widgets(harness: &Harness) {
    for number in 0..WIDGETS {
        let uses = if number % 2 == 0 { "even" } else { "odd" };
        create(&harness.widgets, &format!("widget-{number}"), &[(USES, uses)]).await;
    }
}

async fn write(maps: &Api<ConfigMap>, name: &str, version: &str) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"version": version},
    });
    maps.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(map)).await.unwrap();
}

/// The maps, the widgets and a replica that has no resync, so that everything that happens has a reason.
async fn start(harness: &Harness, seen: &Seen) -> (Api<ConfigMap>, crate::harness::Replica) {
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for name in ["even", "odd"] {
        write(&maps, name, "1").await;
    }
    widgets(harness).await;
    let mut options = harness.options("op-0", SHARDS);
    options.resync = None;
    let (network, mut app) = harness.app(options);
    declare(&mut app, seen, None);
    // The same declaration for another kind.
    let nothing = |_: &ConfigMap, _: &Store<Service>| Vec::new();
    app.controller::<Service>()
        .watches::<ConfigMap, _>(watcher::Config::default(), nothing)
        .run(|_: Arc<Service>, _: Held| async { Ok::<_, std::io::Error>(Action::await_change()) });
    (maps, Harness::spawn(network, app))
}

/// How often the widgets of each map were reconciled, and that all of them have read this last.
fn rounds(seen: &Seen, even: Option<&str>, odd: Option<&str>) -> Option<[usize; 2]> {
    let seen = seen.lock().unwrap();
    let mut rounds = [0; 2];
    for number in 0..WIDGETS {
        let reads = seen.get(&format!("widget-{number}"))?;
        let expected = [even, odd][number % 2].map(str::to_owned);
        if *reads.last()? != expected {
            return None;
        }
        rounds[number % 2] += reads.len();
    }
    Some(rounds)
}

#[tokio::test(start_paused = true)]
async fn one_watch_serves_all_shards_and_kinds_and_a_change_reaches_who_uses_the_object() {
    const EACH: usize = WIDGETS / 2;
    let harness = Harness::new().await;
    let seen = Seen::default();
    let (maps, replica) = start(&harness, &seen).await;
    let all = |even, odd| {
        let seen = seen.clone();
        move || std::future::ready(rounds(&seen, even, odd).is_some())
    };
    let settle = || harness.clock.sleep(Duration::from_secs(10));
    harness.until("all to be reconciled", all(Some("1"), Some("1"))).await;
    settle().await;
    assert_eq!(rounds(&seen, Some("1"), Some("1")), Some([EACH, EACH]));
    assert_eq!(replica.network.reads_of_config_maps(), ["list", "watch"], "of {SHARDS} shards and two kinds");

    write(&maps, "even", "2").await;
    harness.until("an edit to be seen", all(Some("2"), Some("1"))).await;
    settle().await;
    assert_eq!(rounds(&seen, Some("2"), Some("1")), Some([2 * EACH, EACH]), "only users, and once");

    maps.delete("odd", &DeleteParams::default()).await.unwrap();
    harness.until("a deletion to be seen", all(Some("2"), None)).await;
    // The watch loses the thread: a list shows what has changed meanwhile, and nothing else is made due.
    write(&maps, "odd", "3").await;
    harness.until("a creation to be seen", all(Some("2"), Some("3"))).await;
    settle().await;
    assert_eq!(rounds(&seen, Some("2"), Some("3")), Some([2 * EACH, 3 * EACH]));
    assert_eq!(replica.network.reads_of_config_maps(), ["list", "watch"]);
}

/// The others have one already, and ask for the metadata only.
#[tokio::test(start_paused = true)]
async fn a_shard_that_is_taken_over_costs_a_list_of_the_metadata() {
    let harness = Harness::new().await;
    let seen = Seen::default();
    let (maps, first) = start(&harness, &seen).await;
    harness.until("all to be reconciled", || async { rounds(&seen, Some("1"), Some("1")).is_some() }).await;
    let (network, mut app) = harness.app(harness.options("op-1", SHARDS));
    declare(&mut app, &seen, None);
    let nothing = |_: &ConfigMap, _: &Store<Service>| Vec::new();
    app.controller::<Service>()
        .watches::<ConfigMap, _>(watcher::Config::default(), nothing)
        .run(|_: Arc<Service>, _: Held| async { Ok::<_, std::io::Error>(Action::await_change()) });
    let second = Harness::spawn(network, app);
    let has_work = || async { second.network.reads_of_config_maps().contains(&"watch") };
    harness.until("the other to get shards", has_work).await;
    harness.clock.sleep(Duration::from_secs(120)).await;
    let before = second.network.reads_of_config_maps();
    seen.lock().unwrap().clear();
    // It releases two shards at once.
    first.stop.send(()).unwrap();
    harness.clock.sleep(Duration::from_secs(30)).await;
    first.task.await.unwrap().unwrap();
    assert!(!seen.lock().unwrap().is_empty(), "nothing was taken over");
    let after = second.network.reads_of_config_maps();
    println!("{before:?}, then {:?}", &after[before.len()..]);
    let lists = |of: &str| after.iter().filter(|read| **read == of).count();
    assert_eq!((lists("list"), lists("watch")), (1, 1));
    assert!(after.len() > before.len(), "nothing proves that the cache is current");
    // Two shards each take at most one list, and two kinds share it.
    assert!(lists("metadata list") <= usize::from(SHARDS), "{after:?}");
    write(&maps, "even", "2").await;
    harness
        .until("an edit to be seen", || async {
            rounds(&seen, Some("2"), Some("1")).is_some()
                || seen.lock().unwrap().values().any(|reads| reads.last() == Some(&Some("2".to_owned())))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_holds_up_the_kinds_that_depend_on_it_and_is_named() {
    let harness = Harness::new().await;
    widgets(&harness).await;
    let services: Api<Service> = Api::namespaced(harness.admin(), NAMESPACE);
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
    let (network, mut app) = harness.app(harness.options("op-0", SHARDS));
    network.lose(Some("configmaps"));
    let (seen, services) = (Seen::default(), Arc::new(Mutex::new(0)));
    declare(&mut app, &seen, None);
    let counted = services.clone();
    app.controller::<Service>().run(move |_: Arc<Service>, _: Held| {
        *counted.lock().unwrap() += 1;
        async { Ok::<_, std::io::Error>(Action::await_change()) }
    });
    let readiness = app.readiness();
    let replica = Harness::spawn(network, app);
    harness.until("the other kind to be reconciled", || async { *services.lock().unwrap() > 0 }).await;
    let part = "the list of configmaps in all namespaces keeps failing";
    let named =
        || async { matches!(readiness.get(), Readiness::NotReady { because } if because.contains(part)) };
    harness.until("the failure to be named", named).await;
    assert!(seen.lock().unwrap().is_empty(), "what is unknown was taken for absent");
    replica.network.lose(None);
    harness.until("all to be reconciled", || async { rounds(&seen, None, None).is_some() }).await;
    harness.until("the replica to be ready", || async { readiness.get() == Readiness::Ready }).await;
}

/// Every resourceVersion that the watch has shown means another state then.
#[tokio::test(start_paused = true)]
async fn a_restore_of_etcd_is_noticed() {
    let harness = Harness::new().await;
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    for name in ["even", "odd"] {
        write(&maps, name, "1").await;
    }
    widgets(&harness).await;
    let (network, mut app) = harness.app(harness.options("op-0", SHARDS));
    let seen = Seen::default();
    declare(&mut app, &seen, Some(Duration::from_secs(5)));
    let replica = Harness::spawn(network, app);
    harness.until("all to be reconciled", || async { rounds(&seen, Some("1"), Some("1")).is_some() }).await;
    let backup = harness.server().with_machine(|machine| machine.backup());
    write(&maps, "even", "2").await;
    maps.delete("odd", &DeleteParams::default()).await.unwrap();
    harness.until("the changes to be seen", || async { rounds(&seen, Some("2"), None).is_some() }).await;
    harness.clock.sleep(Duration::from_secs(60)).await;

    replica.network.swallow(true);
    harness.clock.sleep(2 * Timings::standard().lease_duration()).await;
    harness.server().with_machine(|machine| *machine = backup);
    replica.network.cut();
    replica.network.swallow(false);
    harness.until("the backup to be seen", || async { rounds(&seen, Some("1"), Some("1")).is_some() }).await;
}

#[tokio::test(start_paused = true)]
async fn only_metadata_is_cached_if_only_metadata_is_asked_for_and_mistakes_are_told() {
    let harness = Harness::new().await;
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    write(&maps, "even", "1").await;
    create(&harness.widgets, "widget-0", &[(USES, "even")]).await;
    let mut options = harness.options("op-0", 1);
    options.watch_namespaces = [NAMESPACE.to_owned()].into();
    let (network, mut app) = harness.app(options);
    let told = Arc::new(Mutex::new(Vec::new()));
    let noted = told.clone();
    app.controller::<Widget>()
        .watches::<PartialObjectMeta<ConfigMap>, _>(watcher::Config::default(), users)
        .run(move |_: Arc<Widget>, held: Held| {
            let found = held.watched::<PartialObjectMeta<ConfigMap>>(NAMESPACE, "even").unwrap();
            let said = [
                found.map(|found| found.name_any()).unwrap_or_default(),
                held.watched::<ConfigMap>(NAMESPACE, "even").unwrap_err().to_string(),
                held.watched::<PartialObjectMeta<ConfigMap>>("elsewhere", "even").unwrap_err().to_string(),
            ];
            noted.lock().unwrap().push(said);
            async { Ok::<_, std::io::Error>(Action::await_change()) }
        });
    let replica = Harness::spawn(network, app);
    harness.until("the widget to be reconciled", || async { !told.lock().unwrap().is_empty() }).await;
    let said = told.lock().unwrap()[0].clone();
    assert_eq!(said[0], "even");
    assert!(said[1].contains("declare it with `Controller::watches`"), "{said:?}");
    assert!(said[2].contains("does not watch the namespace elsewhere"), "{said:?}");
    assert_eq!(replica.network.reads_of_config_maps(), ["metadata list", "metadata watch"]);
}
