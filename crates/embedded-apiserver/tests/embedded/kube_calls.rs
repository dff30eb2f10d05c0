//! Everything that kube and kube-runtime ask an API server, by their own functions.
//!
//! Each call has to do here what it is for, and each request to be of a shape that the conformance suite compares with the
//! real server's answer. What the embedded server does not do has to say so.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, conformance_shapes};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{
    Api, DeleteParams, EvictParams, GetParams, ListParams, LogParams, ObjectMeta, PartialObjectMetaExt as _,
    Patch, PatchParams, PostParams, Preconditions, PropagationPolicy, WatchEvent, WatchParams,
};
use kube::core::PartialObjectMeta;
use kube::discovery::{Discovery, oneshot};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event as News, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{Event as Finalized, finalizer};
use kube::runtime::wait::{await_condition, conditions, delete::delete_and_finalize};
use kube::runtime::watcher as watch_objects;
use kube::runtime::watcher::{self, Event, ListSemantic};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use crate::{api, create, server};

const DEADLINE: Duration = Duration::from_secs(20);

fn compared(server: &EmbeddedServer) {
    let known = conformance_shapes();
    let shapes = server.shapes();
    assert!(shapes.len() > 1, "nothing was asked");
    let unknown: Vec<String> =
        shapes.keys().filter(|shape| !known.contains(shape)).map(ToString::to_string).collect();
    assert!(unknown.is_empty(), "no conformance case covers:\n{}", unknown.join("\n"));
}

fn map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn objects_and_their_metadata() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    let made = maps.create(&PostParams::default(), &map("a")).await.expect("create");
    let dry = PostParams { dry_run: true, field_manager: Some("kube".into()) };
    maps.create(&dry, &map("b")).await.expect("create for show");
    assert!(maps.get_opt("b").await.expect("get_opt").is_none());
    assert_eq!(maps.get_with("a", &GetParams::any()).await.expect("get_with").uid(), made.uid());
    let metadata = maps.get_metadata("a").await.expect("get_metadata");
    assert_eq!(metadata.uid(), made.uid());
    assert!(maps.get_metadata_opt("b").await.expect("get_metadata_opt").is_none());
    assert_eq!(maps.list(&ListParams::default().limit(1)).await.expect("list").items.len(), 1);
    assert_eq!(maps.list_metadata(&ListParams::default()).await.expect("list_metadata").items.len(), 1);

    let label = ObjectMeta { labels: Some([("a".into(), "b".into())].into()), ..ObjectMeta::default() };
    let partial = label.into_request_partial::<ConfigMap>();
    let merged = maps.patch_metadata("a", &PatchParams::default(), &Patch::Merge(&partial)).await;
    assert_eq!(merged.expect("patch_metadata").labels()["a"], "b");
    let applied =
        maps.patch_metadata("a", &PatchParams::apply("kube").force(), &Patch::Apply(&partial)).await;
    applied.expect("patch_metadata by apply");
    let strategic = Patch::Strategic(json!({"data": {"x": "y"}}));
    let patched = maps.patch("a", &PatchParams::default(), &strategic).await.expect("a strategic patch");
    assert_eq!(patched.data.clone().expect("data")["x"], "y");
    maps.replace("a", &PostParams::default(), &patched).await.expect("replace");

    let condition = Preconditions { uid: made.uid(), resource_version: None };
    let params = DeleteParams::background().grace_period(0).preconditions(condition);
    assert!(maps.delete("a", &params).await.expect("delete").is_right());
    create(&maps, json!({"metadata": {"name": "c"}})).await;
    let show = DeleteParams { dry_run: true, ..DeleteParams::default() };
    maps.delete_collection(&show, &ListParams::default()).await.expect("delete_collection for show");
    assert!(maps.get_opt("c").await.expect("get_opt").is_some(), "a dry run deletes nothing");
    let selected = ListParams::default().labels("a=b");
    maps.delete_collection(&DeleteParams::default(), &selected).await.expect("delete_collection");
    let params =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    maps.delete("c", &params).await.expect("delete");
    compared(&server);
}

#[tokio::test]
async fn entries_are_created_and_replaced() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    let params = PostParams::default();
    let mut entry = maps.entry("e").await.expect("entry").or_insert(|| map("e"));
    entry.commit(&params).await.expect("a creation");
    let mut other = maps.entry("e").await.expect("entry").or_insert(|| unreachable!("it is there"));
    other.get_mut().data = Some([("a".into(), "b".into())].into());
    other.commit(&params).await.expect("a replacement");
    entry.get_mut().data = Some([("a".into(), "c".into())].into());
    let late = entry.commit(&params).await.expect_err("somebody was faster");
    let kube::api::entry::CommitError::Save(kube::Error::Api(late)) = late else { panic!("{late}") };
    assert_eq!(late.code, 409);
    compared(&server);
}

#[tokio::test]
async fn status_and_scale() {
    let server = server();
    let sets = api::<StatefulSet>(&server);
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    let spec = json!({"replicas": 1, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": template});
    create(&sets, json!({"metadata": {"name": "s"}, "spec": spec})).await;
    assert_eq!(sets.get_scale("s").await.expect("get_scale").spec.expect("a spec").replicas, Some(1));
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let mut scale: Scale = sets.patch_scale("s", &PatchParams::default(), &patch).await.expect("patch_scale");
    scale.spec.as_mut().expect("a spec").replicas = Some(3);
    sets.replace_scale("s", &PostParams::default(), &scale).await.expect("replace_scale");
    let patch = Patch::Merge(json!({"status": {"replicas": 3}}));
    let set = sets.patch_status("s", &PatchParams::default(), &patch).await.expect("patch_status");
    sets.replace_status("s", &PostParams::default(), &set).await.expect("replace_status");
    let set = sets.get_status("s").await.expect("get_status");
    assert_eq!((set.spec.expect("a spec").replicas, set.status.expect("a status").replicas), (Some(3), 3));
    compared(&server);
}

#[tokio::test]
async fn finalizers_come_and_go_by_kubes_own_function() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    create(&maps, json!({"metadata": {"name": "a"}})).await;
    let turn = async |name: &'static str| {
        let object = Arc::new(maps.get("a").await.expect("it is there"));
        finalizer(&maps, name, object, async |event| match event {
            Finalized::Apply(_) => Ok::<_, kube::Error>(Action::await_change()),
            Finalized::Cleanup(object) => {
                assert!(object.meta().deletion_timestamp.is_some());
                Ok(Action::await_change())
            }
        })
        .await
        .expect("finalizer()");
    };
    turn("example.com/a").await;
    turn("example.com/b").await;
    assert_eq!(maps.get("a").await.expect("get").finalizers(), ["example.com/a", "example.com/b"]);
    maps.delete("a", &DeleteParams::default()).await.expect("delete");
    turn("example.com/b").await;
    turn("example.com/a").await;
    assert!(maps.get_opt("a").await.expect("get_opt").is_none());
    compared(&server);
}

#[tokio::test]
async fn the_recorder_counts_up() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    let about = create(&maps, json!({"metadata": {"name": "a"}})).await.object_ref(&());
    let reporter = Reporter { controller: "c".into(), instance: Some("i".into()) };
    let recorder = Recorder::new(server.client("default"), reporter);
    let news = News {
        type_: EventType::Warning,
        reason: "r".into(),
        note: Some("n".into()),
        action: "act".into(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&news, &about).await.expect("publish");
    }
    let events = api::<k8s_openapi::api::events::v1::Event>(&server);
    let events = events.list(&ListParams::default()).await.expect("list").items;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].series.as_ref().expect("a series").count, 3);
}

#[tokio::test]
async fn conditions_are_awaited() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    let object = create(&maps, json!({"metadata": {"name": "a"}})).await;
    let has_data = |object: Option<&ConfigMap>| object.is_some_and(|object| object.data.is_some());
    let waiting = tokio::spawn(await_condition(maps.clone(), "a", has_data));
    let patch = Patch::Merge(json!({"data": {"a": "b"}}));
    maps.patch("a", &PatchParams::default(), &patch).await.expect("patch");
    let awaited = tokio::time::timeout(DEADLINE, waiting).await.expect("in time").expect("no panic");
    assert!(awaited.expect("a watch").is_some());
    let uid = object.uid().expect("a uid");
    let gone = await_condition(maps.clone(), "a", conditions::is_deleted(&uid));
    let params = DeleteParams::default();
    let both = futures::future::join(gone, delete_and_finalize(maps.clone(), "a", &params));
    let (gone, deleted) = tokio::time::timeout(DEADLINE, both).await.expect("in time");
    gone.expect("a watch");
    deleted.expect("delete_and_finalize");
    compared(&server);
}

#[tokio::test]
async fn watchers_of_every_mode() {
    let server = server();
    let maps = api::<ConfigMap>(&server);
    for name in ["a", "b", "c"] {
        create(&maps, json!({"metadata": {"name": name, "labels": {"x": "y"}}})).await;
    }
    let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(server.client("default"), "default");
    let modes = [
        watcher::Config::default(),
        watcher::Config::default().any_semantic(),
        watcher::Config::default().list_semantic(ListSemantic::MostRecent).page_size(2),
        watcher::Config::default().streaming_lists(),
        watcher::Config::default().labels("x=y").timeout(200),
        watcher::Config::default().fields("metadata.name=a").disable_bookmarks(),
    ];
    for mode in modes {
        let objects = watch_objects(maps.clone(), mode.clone()).map(|event| done(&event));
        first_list(objects).await;
        first_list(watch_objects(metadata.clone(), mode).map(|event| done(&event))).await;
    }
    let params = WatchParams::default().timeout(1);
    let objects = pin!(maps.watch(&params, "0").await.expect("watch"));
    assert_eq!(objects.filter_map(added).count().await, 3);
    let metadata = pin!(maps.watch_metadata(&params, "0").await.expect("watch_metadata"));
    assert_eq!(metadata.filter_map(added).count().await, 3);
    compared(&server);
}

async fn added<K>(event: kube::Result<WatchEvent<K>>) -> Option<K> {
    match event.expect("an event that can be read") {
        WatchEvent::Added(object) => Some(object),
        _ => None,
    }
}

fn done<K>(event: &watcher::Result<Event<K>>) -> bool {
    match event {
        Ok(event) => matches!(event, Event::InitDone),
        Err(error) => panic!("{error}"),
    }
}

async fn first_list(events: impl futures::Stream<Item = bool>) {
    let mut events = pin!(events);
    let listed = async { while !events.next().await.expect("a watcher never ends") {} };
    tokio::time::timeout(DEADLINE, listed).await.expect("the first list is complete in time");
}

#[tokio::test]
async fn discovery_and_version() {
    let server = server();
    let client = server.client("default");
    assert_eq!(client.apiserver_version().await.expect("a version").major, "1");
    let one_by_one = kinds(&Discovery::new(client.clone()).run().await.expect("run"));
    let aggregated = kinds(&Discovery::new(client.clone()).run_aggregated().await.expect("run_aggregated"));
    assert_eq!(one_by_one, aggregated);
    assert!(one_by_one.iter().any(|kind| kind.contains("Lease")), "{one_by_one:?}");
    let group = oneshot::group(&client, "coordination.k8s.io").await.expect("a group");
    let (lease, _) = group.recommended_kind("Lease").expect("a kind");
    let gvk = kube::core::GroupVersionKind::gvk(&lease.group, &lease.version, &lease.kind);
    oneshot::pinned_kind(&client, &gvk).await.expect("pinned_kind");
}

fn kinds(discovery: &Discovery) -> Vec<String> {
    let mut kinds: Vec<String> = discovery
        .groups()
        .flat_map(kube::discovery::ApiGroup::recommended_resources)
        // Of subresources, kube fills in other fields in either way.
        .map(|(resource, can)| format!("{resource:?} {:?} {:?}", can.scope, can.operations))
        .collect();
    kinds.sort();
    kinds
}

/// What is listed in the documentation of `embedded_apiserver` as not done.
#[tokio::test]
async fn what_is_not_done_says_so() {
    let server = server();
    let client = server.client("default");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    let nodes: Api<Node> = Api::all(client.clone());
    refused("nodes", nodes.list(&ListParams::default()).await.expect_err("no Nodes"));
    let deletion = DeleteParams::default();
    refused("the end of a Pod", pods.delete("p", &deletion).await.map(drop).expect_err("no kubelet"));
    let every = pods.delete_collection(&deletion, &ListParams::default()).await;
    refused("the end of Pods", every.map(drop).expect_err("no kubelet"));
    refused("logs", pods.logs("p", &LogParams::default()).await.expect_err("no kubelet"));
    refused("evict", pods.evict("p", &EvictParams::default()).await.expect_err("no Pods"));
    refused("ephemeral containers", pods.get_ephemeral_containers("p").await.expect_err("no Pods"));
    refused("resize", pods.get_resize("p").await.expect_err("no Pods"));
    refused("tokens", token(&client).await.expect_err("no accounts"));
    let review = SelfSubjectAccessReview::default();
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    refused("access reviews", reviews.create(&PostParams::default(), &review).await.expect_err("no rights"));
}

async fn token(client: &Client) -> kube::Result<Value> {
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(client.clone(), "default");
    accounts.create_subresource("token", "default", &PostParams::default(), &json!({})).await
}

fn refused(what: &str, error: kube::Error) {
    let kube::Error::Api(status) = error else { panic!("{what}: {error}") };
    assert_eq!((status.code, status.reason.as_str()), (501, "NotSupportedByEmbeddedServer"), "{what}");
    assert!(status.message.contains("the embedded API server does not support"), "{}", status.message);
}
