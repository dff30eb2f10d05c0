//! A replica that cannot list its resources holds all shards when one that can is started.

use std::{convert::Infallible, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use shard_router::{Action, Held};

use crate::{
    stage::{NAMESPACE, Stage},
    widget::Widget,
};

const SHARDS: u16 = 4;

/// How long after its start the able one held all shards; `None` if it did not within ten minutes.
pub(crate) async fn taken_over_after() -> Option<Duration> {
    let stage = Stage::new().await;
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let start = |pod: &str, finds: bool| {
        let (network, controller) = stage.controller(stage.options(pod, SHARDS));
        network.lose_widgets(!finds);
        Stage::run((network, controller), reconcile)
    };
    let _blind = start("blind", false);
    let alone = || async { held_by(&stage, "blind").await == usize::from(SHARDS) };
    stage.until("the first replica to hold all shards", alone).await;
    let _able = start("able", true);
    let begun = stage.clock.now().monotonic;
    while held_by(&stage, "able").await < usize::from(SHARDS) {
        if stage.clock.now().monotonic > begun + Duration::from_mins(10) {
            return None;
        }
        stage.clock.sleep(Duration::from_millis(500)).await;
    }
    Some(stage.clock.now().monotonic.duration_since(begun))
}

async fn held_by(stage: &Stage, pod: &str) -> usize {
    let leases: Api<Lease> = Api::namespaced(stage.admin(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.expect("the API server lists Leases");
    let shards = leases.iter().filter(|lease| lease.name_any().contains("-shard-"));
    let holders = shards.filter_map(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
    holders.filter(|holder| holder.starts_with(pod)).count()
}
