//! A tenant who makes a widget that the definition takes and the type does not.

use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use kube_testkit::eventually;
use serde_json::{Value, json};
use shard_router::{Layout, ShardKey};

use crate::{
    fleet::{DEADLINE, Fleet},
    scenarios::quick,
    widget::{LABEL, Widget, create},
};

pub(crate) const SHARDS: u16 = 2;
pub(crate) const ODD: &str = "odd";

/// The widgets as a tenant sees them, who has no types.
pub(crate) struct Tenant {
    pub(crate) widgets: Api<DynamicObject>,
}

impl Tenant {
    pub(crate) fn of(fleet: &Fleet) -> Self {
        let resource = ApiResource::erase::<Widget>(&());
        Self { widgets: Api::namespaced_with(fleet.env.admin(), fleet.env.namespace(), &resource) }
    }

    /// Creates a widget whose size is no number.
    pub(crate) async fn create_odd(&self, labels: Value) {
        let mut odd = DynamicObject::new(ODD, &ApiResource::erase::<Widget>(&()));
        odd.metadata.labels = serde_json::from_value(labels).unwrap();
        odd.data = json!({"spec": {"size": "large"}});
        self.widgets.create(&PostParams::default(), &odd).await.expect("the definition takes anything");
    }

    pub(crate) async fn patch(&self, patch: Value) {
        self.widgets.patch(ODD, &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    }

    pub(crate) async fn stamped(&self) {
        eventually("the odd widget to be stamped", DEADLINE, || async {
            self.widgets.get(ODD).await.unwrap().labels().contains_key(LABEL).then_some(())
        })
        .await;
    }
}

/// Names whose buckets belong to either shard.
pub(crate) fn names_in_both_shards(fleet: &Fleet) -> Vec<String> {
    let layout = Layout::first(SHARDS.try_into().unwrap(), None);
    let shard = |name: &str| {
        layout.shard_of(ShardKey::from(format!("{}/{name}", fleet.env.namespace()).as_str()).bucket())
    };
    let (beside, apart): (Vec<_>, Vec<_>) =
        (0..40).map(|n| format!("w{n}")).partition(|name| shard(name) == shard(ODD));
    assert!(beside.len() >= 4 && apart.len() >= 4, "{beside:?} {apart:?}");
    beside.into_iter().take(4).chain(apart.into_iter().take(4)).collect()
}

/// Widgets of both shards, and among them one that does not decode.
pub(crate) async fn others_go_on(fleet: &Fleet) -> Vec<String> {
    Tenant::of(fleet).create_odd(Value::Null).await;
    let names = names_in_both_shards(fleet);
    for name in &names {
        create(&fleet.widgets, name, &[]).await;
    }
    let replica = fleet.start(fleet.options("pod-a", SHARDS), quick);
    let all = tokio::time::timeout(DEADLINE / 2, fleet.reconciled(&names)).await;
    replica.terminate().await;
    all.err().map(|_| "one object kept others from being reconciled".to_owned()).into_iter().collect()
}
