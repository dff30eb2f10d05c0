//! A bucket label that a user edits: to the old shard's watch that looks like a deletion, to the new one's like a creation.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
};
use kube_testkit::eventually;
use serde_json::json;
use shard_router::{Action, Held, Layout, ShardKey};

use crate::{
    fleet::{DEADLINE, Fleet},
    widget::{LABEL, Widget, create},
};

/// The label is edited to a bucket of another shard, and has to come back with nothing else having happened.
pub(crate) async fn relabel(fleet: &Fleet) -> Vec<String> {
    let options = fleet.options("pod-a", 4);
    let layout = options.layout();
    let (identity, mut app) = fleet.app(options);
    // The newest state of the widget that a reconcile was given.
    let newest = Arc::new(AtomicU64::new(0));
    let note = newest.clone();
    app.controller::<Widget>().owns::<ConfigMap>().run(move |widget: Arc<Widget>, held| {
        note.fetch_max(version(&widget), Ordering::SeqCst);
        with_a_child(widget, held)
    });
    let replica = Fleet::spawn(identity, app);
    let created = create(&fleet.widgets, "w", &[]).await;
    let key = ShardKey::of(created.meta(), None);
    let (bucket, label) = (json!(key.bucket()), key.bucket().to_string());
    fleet.reconciled(&["w".to_owned()]).await;
    let children: Api<ConfigMap> = Api::namespaced(fleet.env.admin(), fleet.env.namespace());
    let child = children.get("w").await.unwrap().uid();

    let patch = json!({"metadata": {"labels": {LABEL: elsewhere(&layout, &key)}}});
    fleet.widgets.patch("w", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let as_foreign = |begin: &serde_json::Value| begin["bucket"] != bucket;
    eventually("the label to be back, or a reconcile without that", DEADLINE, || async {
        let widget = fleet.widgets.get("w").await.unwrap();
        // A shard's watch shows the widget leave before it shows it come back, so whoever reconciles it as it is now has seen both.
        let back =
            widget.labels().get(LABEL) == Some(&label) && newest.load(Ordering::SeqCst) >= version(&widget);
        (back || fleet.records.of("begin").iter().any(as_foreign)).then_some(())
    })
    .await;
    replica.terminate().await;
    #[cfg(feature = "mutants")]
    shard_router::mutants::cleaned_up().await;

    let mut found = Vec::new();
    for begin in fleet.records.of("begin").iter().filter(|begin| as_foreign(begin)) {
        found.push(format!("it was reconciled as one of bucket {}, which is not its own", begin["bucket"]));
    }
    if children.get_opt("w").await.unwrap().and_then(|child| child.uid()) != child {
        found.push("its child was deleted while it was there itself".to_owned());
    }
    found
}

fn version(widget: &Widget) -> u64 {
    widget.resource_version().unwrap().parse().unwrap()
}

/// A bucket that belongs to another shard.
fn elsewhere(layout: &Layout, key: &ShardKey) -> String {
    let own = layout.shard_of(key.bucket());
    let mut foreign = layout.shards.shards().filter(|shard| *shard != own);
    layout.buckets_of(foreign.next().unwrap())[0].to_string()
}

async fn with_a_child(widget: Arc<Widget>, held: Held) -> kube::Result<Action> {
    let mut meta = ObjectMeta {
        name: widget.metadata.name.clone(),
        owner_references: widget.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    held.label_child(&mut meta);
    let child = ConfigMap { metadata: meta, data: Some(BTreeMap::new()), ..ConfigMap::default() };
    let api: Api<ConfigMap> = Api::namespaced(held.client(), &widget.namespace().unwrap());
    api.patch(&widget.name_any(), &PatchParams::apply("tests"), &Patch::Apply(&child)).await?;
    Ok(Action::await_change())
}
