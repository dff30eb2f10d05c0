//! Resources that have the owner's finalizer from a time when buckets came from a key label.

use std::{convert::Infallible, sync::Arc};

use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};
use shard_router::{Action, Held};

use crate::{
    harness::Harness,
    widget::{LABEL, Widget, WidgetSpec},
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
        harness.widgets.get("left-over").await.is_ok_and(|widget| widget.labels().contains_key(LABEL))
    };
    harness.until("the widget to be stamped", stamped).await;
    harness.widgets.delete("left-over", &DeleteParams::default()).await.expect("deleted");
    let gone = || async { harness.widgets.get_opt("left-over").await.is_ok_and(|found| found.is_none()) };
    harness.until("the widget to be gone", gone).await;
}
