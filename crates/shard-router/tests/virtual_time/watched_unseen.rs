//! A replica whose watch of ConfigMaps hangs takes shards over from one that has seen a later state.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{reflector::Store, watcher},
};
use serde_json::json;
use shard_router::{Action, Held, WatchedError};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

const WIDGETS: usize = 8;
const MAP: &str = "settings";

/// Who reconciled each widget, and which version it read.
type Seen = Arc<Mutex<BTreeMap<String, Vec<(&'static str, String)>>>>;

/// The widgets that the new owner reconciled first by the state that it had cached before it took them over, and how long after the death of the previous
/// owner all of them had been reconciled.
pub(crate) async fn reconciled_by_an_old_state() -> (Vec<String>, Duration) {
    let harness = Harness::new().await;
    let maps: Api<ConfigMap> = Api::namespaced(harness.admin(), NAMESPACE);
    let map = serde_json::from_value(json!({"metadata": {"name": MAP}, "data": {"version": "0"}}));
    maps.create(&PostParams::default(), &map.expect("a ConfigMap")).await.expect("created");
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let seen = Seen::default();
    let replicas = ["op-0", "op-1"].map(|pod| {
        let (network, mut app) = harness.app(harness.options(pod, 4));
        let noted = seen.clone();
        app.controller::<Widget>()
            .watches::<ConfigMap, _>(watcher::Config::default(), |_, widgets: &Store<Widget>| {
                widgets.state().into_iter().map(|widget| (&*widget).into()).collect::<Vec<_>>()
            })
            .run(move |widget: Arc<Widget>, held: Held| {
                let read = held.watched::<ConfigMap>(NAMESPACE, MAP).map(|map| {
                    let data = map.and_then(|map| map.data.clone()).unwrap_or_default();
                    let version = data.get("version").cloned().unwrap_or_default();
                    noted
                        .lock()
                        .expect("no panic")
                        .entry(widget.name_any())
                        .or_default()
                        .push((pod, version));
                });
                async { read.map(|()| Action::await_change()).map_err(Box::<WatchedError>::new) }
            });
        Harness::spawn(network, app)
    });
    let last_by = |pod: &'static str, version: &'static str| {
        let seen = seen.clone();
        move || {
            let seen = seen.lock().expect("no panic");
            let last = |by: &Vec<_>| by.last() == Some(&(pod, version.to_owned()));
            seen.values().filter(|by| last(by)).count()
        }
    };
    let edit = |version: &str| {
        let (maps, edit) = (maps.clone(), Patch::Merge(json!({"data": {"version": version}})));
        async move { maps.patch(MAP, &PatchParams::default(), &edit).await.expect("edited") }
    };
    // Until each has two shards.
    harness.clock.sleep(Duration::from_secs(120)).await;
    edit("1").await;
    let all = || async { last_by("op-0", "1")() + last_by("op-1", "1")() == WIDGETS };
    harness.until("all to see an edit", all).await;
    let of_first = last_by("op-0", "1")();
    assert!(of_first > 0 && of_first < WIDGETS, "{seen:?}");

    replicas[1].network.hang_watches_of_config_maps();
    edit("2").await;
    harness.until("one to see the edit", || async { last_by("op-0", "2")() == of_first }).await;
    let of_first: Vec<String> = {
        let seen = seen.lock().expect("no panic");
        let by_first = seen.iter().filter(|(_, by)| by.last().is_some_and(|(pod, _)| *pod == "op-0"));
        by_first.map(|(name, _)| name.clone()).collect()
    };
    seen.lock().expect("no panic").clear();
    replicas[0].network.swallow(true);
    let died = harness.clock.now().monotonic;
    let taken_over = || {
        let seen = seen.lock().expect("no panic");
        std::future::ready(of_first.iter().all(|name| seen.contains_key(name)))
    };
    harness.until("the other to take over", taken_over).await;
    let took = harness.clock.now().monotonic.duration_since(died);
    let seen = seen.lock().expect("no panic");
    (of_first.into_iter().filter(|name| seen[name][0] != ("op-1", "2".to_owned())).collect(), took)
}
