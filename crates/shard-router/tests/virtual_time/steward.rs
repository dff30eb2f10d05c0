//! What the coordinator puts in order.

use std::{convert::Infallible, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use lease_core::Timings;
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    stage::{ID, NAMESPACE, Replica, Stage},
    widget::Widget,
};

const LAYOUT: &str = "test.shard-router.dev/layout";

fn start(stage: &Stage, pod: &str) -> Replica {
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    stage.start(stage.options(pod, 2), reconcile)
}

/// Somebody takes the layout off the Lease of a coordinator that goes on. How long until it is there again.
pub(crate) async fn layout_restored_after() -> Duration {
    let stage = Stage::new().await;
    let _replica = start(&stage, "op-0");
    let leases: Api<Lease> = Api::namespaced(stage.admin(), NAMESPACE);
    let layout = || async { leases.get_opt(ID).await.expect("read")?.annotations().get(LAYOUT).cloned() };
    stage.until("a layout", || async { layout().await.is_some() }).await;
    let before = layout().await;
    let strip = json!({"metadata": {"annotations": {LAYOUT: null}}});
    leases.patch(ID, &PatchParams::default(), &Patch::Merge(strip)).await.expect("stripped");
    assert_eq!(layout().await, None);
    let begun = stage.clock.now().monotonic;
    stage.until("the same layout again", || async { layout().await == before }).await;
    stage.clock.now().monotonic.duration_since(begun)
}

/// A replica dies that no Pod stands for. How long until its member Lease is deleted by another.
pub(crate) async fn dead_member_collected_after() -> Duration {
    let stage = Stage::new().await;
    let (_survivor, dies) = (start(&stage, "op-0"), start(&stage, "op-1"));
    let leases: Api<Lease> = Api::namespaced(stage.admin(), NAMESPACE);
    let members = || async {
        let all = leases.list(&ListParams::default()).await.expect("listed").items;
        all.iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-member-"))).count()
    };
    stage.until("two members", || async { members().await == 2 }).await;
    stage.clock.sleep(2 * Timings::standard().lease_duration()).await;
    dies.task.abort();
    dies.network.swallow(true);
    let begun = stage.clock.now().monotonic;
    stage.until("one member", || async { members().await == 1 }).await;
    stage.clock.now().monotonic.duration_since(begun)
}
