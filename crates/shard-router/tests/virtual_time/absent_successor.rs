//! A replica that is alive and never takes the shards that the plan gives it.

use std::{convert::Infallible, sync::Arc};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::Widget,
};

const SHARDS: u16 = 4;

async fn reconcile(_: Arc<Widget>, _: Held) -> Result<Action, Infallible> {
    Ok(Action::await_change())
}

/// How often each shard Lease has changed hands, if this replica holds all of them. It hands over one at a time, so it lacks one at most.
async fn transitions(leases: &Api<Lease>, holder: &str, once_held: bool) -> Option<Vec<i32>> {
    let all = leases.list(&ListParams::default()).await.expect("listed").items;
    let shards = all.iter().filter(|lease| lease.name_any().contains("-shard-"));
    let held = shards.map(|lease| {
        let spec = lease.spec.as_ref()?;
        let is_held = spec.holder_identity.as_ref()?.starts_with(holder);
        is_held.then_some(spec.lease_transitions.unwrap_or_default())
    });
    let held: Vec<i32> = held.flatten().collect();
    let lacking = usize::from(SHARDS) - held.len();
    assert!(!once_held || lacking <= 1, "{lacking} shards are handed over at once");
    (held.len() == usize::from(SHARDS)).then_some(held)
}

/// Each shard that is meant for it is offered in turn, and taken back: one that nobody comes for keeps none of the others waiting.
#[tokio::test(start_paused = true)]
async fn each_shard_has_its_turn_though_the_successor_does_not_come() {
    let harness = Harness::new().await;
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let _stays = harness.start(harness.options("stays", SHARDS), reconcile);
    harness
        .until("one replica to hold all shards", || async {
            transitions(&leases, "stays", false).await.is_some()
        })
        .await;
    let before = transitions(&leases, "stays", true).await.expect("held");

    let absent = harness.app(harness.options("absent", SHARDS));
    absent.0.swallow_shard_writes(true);
    let _absent = Harness::run(absent, reconcile);
    let both_offered = || async {
        let now = transitions(&leases, "stays", true).await;
        now.is_some_and(|now| now.iter().zip(&before).filter(|(now, before)| now > before).count() == 2)
    };
    harness.until("both shards of the other to have been offered and taken back", both_offered).await;
}
