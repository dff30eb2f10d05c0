//! kube-runtime's watchers, and the stand-in for workloads.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use kube_testkit::{WorkloadStandIn, eventually};
use serde_json::json;

use crate::{api, create, server};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a watcher says, in short.
async fn told(events: &mut (impl futures::Stream<Item = watcher::Result<Event<Lease>>> + Unpin)) -> String {
    let event = tokio::time::timeout(DEADLINE, events.next()).await.expect("an event within the deadline");
    match event.expect("a watcher never ends").expect("no error") {
        Event::Init => "init".into(),
        Event::InitApply(lease) => format!("initial {}", lease.metadata.name.unwrap_or_default()),
        Event::InitDone => "done".into(),
        Event::Apply(lease) => format!("apply {}", lease.metadata.name.unwrap_or_default()),
        Event::Delete(lease) => format!("delete {}", lease.metadata.name.unwrap_or_default()),
    }
}

#[tokio::test]
async fn watchers_see_lists_and_changes_in_both_ways_of_starting() {
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let server = server();
        let leases = api::<Lease>(&server);
        create(&leases, json!({"metadata": {"name": "a", "labels": {"x": "1"}}})).await;
        create(&leases, json!({"metadata": {"name": "b"}})).await;
        let mut events = pin!(watcher::watcher(leases.clone(), config.labels("x=1")));
        for expected in ["init", "initial a", "done"] {
            assert_eq!(told(&mut events).await, expected);
        }
        let label = |value| Patch::Merge(json!({"metadata": {"labels": {"x": value}}}));
        leases.patch("b", &PatchParams::default(), &label(Some("1"))).await.expect("patch");
        assert_eq!(told(&mut events).await, "apply b");
        leases.patch("b", &PatchParams::default(), &label(None)).await.expect("patch");
        assert_eq!(told(&mut events).await, "delete b");
        leases.delete("a", &DeleteParams::default()).await.expect("delete");
        assert_eq!(told(&mut events).await, "delete a");
    }
}

#[tokio::test]
async fn a_watch_that_goes_on_from_what_was_compacted_gets_410_gone() {
    let server = server();
    let leases = api::<Lease>(&server);
    let first = create(&leases, json!({"metadata": {"name": "a"}})).await;
    create(&leases, json!({"metadata": {"name": "b"}})).await;
    server.compact();
    let version = first.metadata.resource_version.expect("kept objects have a version");
    let mut events = pin!(leases.watch(&WatchParams::default(), &version).await.expect("it begins"));
    let event = events.next().await.expect("an event").expect("one that can be read");
    let WatchEvent::Error(status) = event else { panic!("{event:?} instead of an error") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn the_stand_in_makes_stateful_sets_ready() {
    let server = server();
    let sets = api::<StatefulSet>(&server);
    let _stand_in = WorkloadStandIn::start(server.client("default"), Duration::ZERO);
    let template = json!({
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x"}]},
    });
    let spec = json!({"replicas": 3, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": template});
    create(&sets, json!({"metadata": {"name": "x"}, "spec": spec})).await;
    eventually("three ready replicas", DEADLINE, async || {
        let status = sets.get("x").await.expect("it is there").status?;
        (status.ready_replicas == Some(3) && status.observed_generation == Some(1)).then_some(())
    })
    .await;
}
