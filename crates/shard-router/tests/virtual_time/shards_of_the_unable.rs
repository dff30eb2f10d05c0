//! A replica that cannot list its resources holds all shards when one that can is started.

use std::{convert::Infallible, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::Widget,
};

const SHARDS: u16 = 4;

/// How long after its start the able one held all shards; `None` if it did not within ten minutes.
pub(crate) async fn taken_over_after() -> Option<Duration> {
    let harness = Harness::new().await;
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let start = |pod: &str, finds: bool| {
        let (network, app) = harness.app(harness.options(pod, SHARDS));
        network.lose((!finds).then_some("widgets"));
        Harness::run((network, app), reconcile)
    };
    let _blind = start("blind", false);
    let alone = || async { held_by(&harness, "blind").await == usize::from(SHARDS) };
    harness.until("the first replica to hold all shards", alone).await;
    let _able = start("able", true);
    let begun = harness.clock.now().monotonic;
    while held_by(&harness, "able").await < usize::from(SHARDS) {
        if harness.clock.now().monotonic > begun + Duration::from_mins(10) {
            return None;
        }
        harness.clock.sleep(Duration::from_millis(500)).await;
    }
    Some(harness.clock.now().monotonic.duration_since(begun))
}

async fn held_by(harness: &Harness, pod: &str) -> usize {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.expect("the API server lists Leases");
    let shards = leases.iter().filter(|lease| lease.name_any().contains("-shard-"));
    let holders = shards.filter_map(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
    holders.filter(|holder| holder.starts_with(pod)).count()
}
