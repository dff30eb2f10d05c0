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
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::Widget,
};

const LAYOUT: &str = "test.shard-router.dev/layout";

fn start(harness: &Harness, pod: &str) -> Replica {
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    harness.start(harness.options(pod, 2), reconcile)
}

/// Somebody takes the layout off the Lease of a coordinator that goes on. How long until it is there again.
pub(crate) async fn layout_restored_after() -> Duration {
    let harness = Harness::new().await;
    let _replica = start(&harness, "op-0");
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let layout = || async { leases.get_opt(ID).await.expect("read")?.annotations().get(LAYOUT).cloned() };
    harness.until("a layout", || async { layout().await.is_some() }).await;
    let before = layout().await;
    let strip = json!({"metadata": {"annotations": {LAYOUT: null}}});
    leases.patch(ID, &PatchParams::default(), &Patch::Merge(strip)).await.expect("stripped");
    assert_eq!(layout().await, None);
    let begun = harness.clock.now().monotonic;
    harness.until("the same layout again", || async { layout().await == before }).await;
    harness.clock.now().monotonic.duration_since(begun)
}

/// A replica dies that no Pod stands for. How long until its member Lease is deleted by another.
pub(crate) async fn dead_member_collected_after() -> Duration {
    let harness = Harness::new().await;
    let (_survivor, dies) = (start(&harness, "op-0"), start(&harness, "op-1"));
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let members = || async {
        let all = leases.list(&ListParams::default()).await.expect("listed").items;
        all.iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-member-"))).count()
    };
    harness.until("two members", || async { members().await == 2 }).await;
    harness.clock.sleep(2 * Timings::standard().lease_duration()).await;
    dies.task.abort();
    dies.network.swallow(true);
    let begun = harness.clock.now().monotonic;
    harness.until("one member", || async { members().await == 1 }).await;
    harness.clock.now().monotonic.duration_since(begun)
}
