//! Resources whose buckets come from a key label that is gone, or from their names when there is one by now.

use std::{convert::Infallible, sync::Arc};

use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use lease_core::LeaderElectionId;
use serde_json::json;
use shard_router::{Action, Held, Options, ShardKey};

use crate::{
    harness::{Harness, NAMESPACE, Replica},
    widget::{LABEL, Widget, create},
};

/// The finalizer comes back, and the resource can be deleted all the same.
#[allow(dead_code, reason = "not every test program that shares this file needs it")]
pub(crate) async fn keeps_its_finalizer() {
    let (harness, _unkeyed) = key_label_switched_off().await;
    let finalizer = harness.options("op-1", 2).names().owner_finalizer();
    let protected = || async {
        harness.widgets.get("left-over").await.is_ok_and(|widget| widget.finalizers().contains(&finalizer))
    };
    harness.until("the widget to be protected again", protected).await;
    harness.widgets.delete("left-over", &DeleteParams::default()).await.expect("deleted");
    let gone = || async { harness.widgets.get_opt("left-over").await.is_ok_and(|found| found.is_none()) };
    harness.until("the widget to be gone", gone).await;
}

/// The bucket label of a resource whose bucket comes from a former key label, and the one that it gets after somebody has stripped it.
pub(crate) async fn labels_before_and_after() -> (String, String) {
    let (harness, _unkeyed) = key_label_switched_off().await;
    let label = || async {
        let widget = harness.widgets.get("left-over").await.expect("there");
        widget.labels().get(LABEL).cloned()
    };
    let labelled = || async { label().await.is_some() };
    harness.until("the widget to be labelled again", labelled).await;
    (ShardKey::from("blue").bucket().to_string(), label().await.expect("labelled"))
}

/// Stamped by its name, a resource keeps its bucket when a key label is set, and is protected like those that have their buckets from it.
#[allow(dead_code, reason = "not every test program that shares this file needs it")]
pub(crate) async fn a_name_keeps_its_bucket() {
    let (harness, named) =
        (Harness::new().await, ShardKey::from(&*format!("{NAMESPACE}/left-over")).bucket());
    create(&harness.widgets, "left-over", &[("tenant", "blue")]).await;
    let unkeyed = harness.start(harness.options("op-0", 2), reconcile);
    let get = || async { harness.widgets.get("left-over").await.expect("there") };
    let labelled = || async { get().await.labels().contains_key(LABEL) };
    harness.until("the widget to be stamped", labelled).await;
    assert!(get().await.status.is_none(), "nothing need be recorded");
    stop(unkeyed).await;
    let options = keyed(&harness, "op-1");
    let finalizer = options.names().owner_finalizer();
    let _keyed = harness.start(begun_anew(options), reconcile);
    let protected = || async { get().await.finalizers().contains(&finalizer) };
    harness.until("the widget to be protected", protected).await;
    let widget = get().await;
    assert_eq!(widget.labels()[LABEL], named.to_string());
    assert_eq!(widget.status.and_then(|status| status.bucket), Some(named.0));
}

/// A widget of the tenant blue that was stamped under a key label, and then lost its label and its finalizer; and a replica without a key
/// label.
async fn key_label_switched_off() -> (Harness, Replica) {
    let harness = Harness::new().await;
    let options = keyed(&harness, "op-0");
    let finalizer = options.names().owner_finalizer();
    create(&harness.widgets, "left-over", &[("tenant", "blue")]).await;
    let replica = harness.start(options, reconcile);
    let protected = || async {
        harness.widgets.get("left-over").await.is_ok_and(|widget| widget.finalizers().contains(&finalizer))
    };
    harness.until("the widget to be protected", protected).await;
    stop(replica).await;
    let strip = Patch::Merge(json!({"metadata": {"finalizers": null, "labels": {LABEL: null}}}));
    harness.widgets.patch("left-over", &PatchParams::default(), &strip).await.expect("stripped");
    let unkeyed = harness.start(begun_anew(harness.options("op-1", 2)), reconcile);
    (harness, unkeyed)
}

fn keyed(harness: &Harness, pod: &str) -> Options {
    harness.options(pod, 2).with_key_label("tenant".to_owned())
}

/// Under another LeaderElectionID no layout is committed yet.
fn begun_anew(mut options: Options) -> Options {
    options.elections.id = LeaderElectionId::new("another.test").expect("an ID");
    options
}

async fn reconcile(_: Arc<Widget>, _: Held) -> Result<Action, Infallible> {
    Ok(Action::await_change())
}

async fn stop(replica: Replica) {
    replica.stop.send(()).expect("it runs");
    replica.task.await.expect("no panic").expect("ended in good order");
}
