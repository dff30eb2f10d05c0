//! Buckets: written once, put back when they are lost, and never moved.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use shard_router::{Bucket, ShardKey};

use crate::{
    fleet::{Fleet, violations},
    relabel::relabel,
    scenarios::{self, quick},
    widget::{LABEL, create},
};

impl Fleet {
    async fn relabel(&self, name: &str, value: Option<&str>) {
        let patch = json!({"metadata": {"labels": {LABEL: value}}});
        self.widgets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// With a key label, the bucket is recorded before the label is put on.
    async fn recorded(&self, name: &str, bucket: Bucket) {
        let widget = self.labelled(name, bucket).await;
        assert_eq!(widget.status.as_ref().and_then(|status| status.bucket), Some(bucket.0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_is_stripped_garbled_or_edited_comes_back() {
    let Some(fleet) = Fleet::new("selectors, status and conditional writes are its own").await else {
        return;
    };
    let replica = fleet.start(fleet.options("pod-a", 4), quick);
    create(&fleet.widgets, "w", &[]).await;
    let bucket = ShardKey::from(format!("{}/w", fleet.env.namespace()).as_str()).bucket();
    fleet.labelled("w", bucket).await;
    fleet.reconciled(&["w".to_owned()]).await;

    let foreign = Bucket(bucket.0.wrapping_add(1));
    for edit in [None, Some("garbage"), Some("007"), Some(foreign.to_string().as_str())] {
        fleet.relabel("w", edit).await;
        fleet.labelled("w", bucket).await;
    }
    // Nobody reconciled it under the bucket that the label claimed for a moment.
    let begins = fleet.records.of("begin");
    assert!(begins.iter().all(|begin| begin["bucket"] == json!(bucket)), "{begins:?}");
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_a_user_brings_along_does_not_choose_the_shard() {
    let Some(fleet) = Fleet::new("selectors, status and conditional writes are its own").await else {
        return;
    };
    let bucket = ShardKey::from(format!("{}/w", fleet.env.namespace()).as_str()).bucket();
    let claimed = Bucket(bucket.0.wrapping_add(7));
    create(&fleet.widgets, "w", &[(LABEL, &claimed.to_string())]).await;
    let replica = fleet.start(fleet.options("pod-a", 4), quick);
    fleet.labelled("w", bucket).await;
    fleet.reconciled(&["w".to_owned()]).await;
    let begins = fleet.records.of("begin");
    assert!(begins.iter().all(|begin| begin["bucket"] == json!(bucket)), "{begins:?}");
    replica.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_bucket_cannot_be_edited_or_left_out() {
    let Some(fleet) = Fleet::new("the CEL rule runs there").await else { return };
    let mut options = fleet.options("pod-a", 1);
    options.key_label = Some("tenant".into());
    let replica = fleet.start(options, quick);
    create(&fleet.widgets, "w", &[("tenant", "blue")]).await;
    let bucket = ShardKey::from("blue").bucket();
    fleet.recorded("w", bucket).await;
    for status in [json!({"bucket": bucket.0.wrapping_add(1)}), json!({"bucket": null}), json!(null)] {
        let patch = Patch::Merge(json!({ "status": status }));
        let refused = fleet.widgets.patch_status("w", &PatchParams::default(), &patch).await.unwrap_err();
        assert!(refused.to_string().contains("status.bucket cannot be changed"), "{status}: {refused}");
    }
    replica.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_edit_of_the_key_moves_nothing() {
    let Some(fleet) = Fleet::new("selectors, status and conditional writes are its own").await else {
        return;
    };
    assert_eq!(scenarios::restamp(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_label_comes_back_and_nothing_else_happens() {
    let Some(fleet) = Fleet::new("selectors, status and conditional writes are its own").await else {
        return;
    };
    assert_eq!(relabel(&fleet).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_stay_together() {
    let Some(fleet) = Fleet::new("selectors, status and conditional writes are its own").await else {
        return;
    };
    let mut options = fleet.options("pod-a", 4);
    options.key_label = Some("tenant".into());
    let replica = fleet.start(options, quick);
    for name in ["w1", "w2"] {
        create(&fleet.widgets, name, &[("tenant", "blue")]).await;
        fleet.recorded(name, ShardKey::from("blue").bucket()).await;
    }
    replica.terminate().await;
}
