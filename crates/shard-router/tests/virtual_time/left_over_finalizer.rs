//! Resources that have the owner's finalizer from a time when buckets came from a key label.

use std::{convert::Infallible, sync::Arc};

use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use lease_core::LeaderElectionId;
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    harness::Harness,
    widget::{Widget, WidgetSpec},
};

#[tokio::test(start_paused = true)]
async fn a_finalizer_of_a_former_key_label_holds_up_no_deletion() {
    let harness = Harness::new().await;
    let options = harness.options("op-0", 2);
    assert_eq!(options.key_label, None);
    let mut widget = Widget::new("left-over", WidgetSpec::default());
    widget.finalizers_mut().push(options.names().owner_finalizer());
    harness.widgets.create(&PostParams::default(), &widget).await.expect("created");
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let _replica = harness.start(options, reconcile);
    let stamped = || async {
        harness
            .widgets
            .get("left-over")
            .await
            .is_ok_and(|widget| widget.status.is_some_and(|status| status.bucket.is_some()))
    };
    harness.until("the widget to be stamped", stamped).await;
    harness.widgets.delete("left-over", &DeleteParams::default()).await.expect("deleted");
    let gone = || async { harness.widgets.get_opt("left-over").await.is_ok_and(|found| found.is_none()) };
    harness.until("the widget to be gone", gone).await;
}

/// By `namespace/name`, a namesake may fall into another bucket than the one that is recorded: with the finalizer gone, another replica
/// could work on it beside the last reconcile of this one.
#[tokio::test(start_paused = true)]
async fn a_bucket_of_a_former_key_label_keeps_its_finalizer() {
    let harness = Harness::new().await;
    let mut options = harness.options("op-0", 2);
    options.key_label = Some("tenant".into());
    let finalizer = options.names().owner_finalizer();
    let mut widget = Widget::new("left-over", WidgetSpec::default());
    widget.labels_mut().insert("tenant".into(), "blue".into());
    harness.widgets.create(&PostParams::default(), &widget).await.expect("created");
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let keyed = harness.start(options, reconcile);
    let protected = || async {
        harness.widgets.get("left-over").await.is_ok_and(|widget| widget.finalizers().contains(&finalizer))
    };
    harness.until("the widget to be protected", protected).await;
    keyed.stop.send(()).expect("it runs");
    keyed.task.await.expect("no panic").expect("ended in good order");

    // Begun anew, under another LeaderElectionID, without the key label.
    let mut options = harness.options("op-1", 2);
    options.elections.id = LeaderElectionId::new("another.test").expect("an ID");
    let _unkeyed = harness.start(options, reconcile);
    let strip = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    harness.widgets.patch("left-over", &PatchParams::default(), &strip).await.expect("stripped");
    harness.until("the widget to be protected again", protected).await;
    harness.widgets.delete("left-over", &DeleteParams::default()).await.expect("deleted");
    let gone = || async { harness.widgets.get_opt("left-over").await.is_ok_and(|found| found.is_none()) };
    harness.until("the widget to be gone", gone).await;
}
