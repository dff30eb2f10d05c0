//! A resource that is deleted and created again under the same name.

use kube::ResourceExt;

use crate::{
    fleet::{Fleet, violations},
    scenarios::{self, ConcurrencyProbe},
    widget::{LABEL, create},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_key_label_the_name_stays_taken_until_the_last_reconcile_has_ended() {
    let Some(fleet) = Fleet::new("finalizers and names are its own").await else { return };
    assert_eq!(scenarios::namesakes(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_label_a_namesake_falls_to_the_same_shard_and_needs_no_finalizer() {
    let Some(fleet) = Fleet::new("finalizers and names are its own").await else { return };
    let probe = ConcurrencyProbe::default();
    let reconciler = probe.clone();
    let replica = fleet
        .start(fleet.options("pod-a", 2), move |widget, held| reconciler.clone().reconcile(widget, held));
    let first = create(&fleet.widgets, "w", &[]).await.uid().unwrap();
    fleet.begun(&first).await;
    assert!(fleet.widgets.get("w").await.unwrap().finalizers().is_empty());
    let bucket = fleet.widgets.get("w").await.unwrap().labels()[LABEL].clone();
    let second = fleet.replace("w", &[]).await;
    fleet.begun(&second).await;
    assert_eq!(fleet.widgets.get("w").await.unwrap().labels()[LABEL], bucket);
    assert_eq!(probe.most("w"), 1);
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}
