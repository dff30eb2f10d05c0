//! A replica whose lists of Leases fail does not hear that another layout was committed, and is given shards of that layout.
//!
//! Each candidate reads its own Lease by name where the watch is not alive, so it learns that a shard is free. What the coordinator Lease says
//! is known from the lists alone.

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use lease_core::Timings;

use crate::{
    harness::{Harness, ID, NAMESPACE},
    layout_change::{Reconciles, both_at_once, delete, reconciled_by, recording},
    widget::create,
};

const WIDGETS: usize = 32;

/// Whether the coordinator Lease itself can be read, once a shard is won.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coordinator {
    Readable,
    Unreadable,
}

/// Reconciles of one widget by a replica with 4 shards and one with 8, in words.
pub(crate) async fn overlaps(coordinator: Coordinator) -> Vec<String> {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let reconciles = Reconciles::default();
    let old = harness.start(harness.options("old", 4), recording("old", &reconciles, &harness));
    let all_by = |replica| std::future::ready(reconciled_by(replica, &reconciles) == WIDGETS);
    harness.until("old to reconcile everything", || all_by("old")).await;
    let new = harness.start(harness.options("new", 8), recording("new", &reconciles, &harness));

    // Cut off, old loses its shards and hears of nothing that follows: new changes the layout to what it is set to.
    old.network.swallow(true);
    harness.until("new to reconcile everything", || all_by("new")).await;
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let list = || async { leases.list(&ListParams::default()).await.expect("listed").items };
    let shards = || async {
        let all = list().await.into_iter();
        all.filter(|lease| lease.name_any().starts_with(&format!("{ID}-shard-"))).collect::<Vec<_>>()
    };
    let all_held = || async { shards().await.iter().filter(|lease| is_held_by("new", lease)).count() == 8 };
    harness.until("new to hold eight shards", all_held).await;
    old.network.refuse_lease_lists(true);
    old.network.refuse_coordinator_reads(coordinator == Coordinator::Unreadable);
    old.network.cut();
    old.network.swallow(false);

    // Old is a member again, and new leaves a part of the shards to it.
    let given = || async { shards().await.iter().any(|lease| is_held_by("old", lease)) };
    harness.until("old to win a shard", given).await;
    // New Leases say nothing of the layout, and old is the first to acquire some.
    new.network.swallow_shard_writes(true);
    for lease in shards().await {
        delete(&leases, &lease.name_any()).await;
    }
    harness.until("old to lose its shards", || async { !given().await }).await;
    harness.until("old to win a shard again", given).await;
    new.network.swallow_shard_writes(false);
    harness.clock.sleep(2 * Timings::standard().lease_duration()).await;
    drop((old, new));
    both_at_once(&reconciles.lock().expect("no panic"))
}

fn is_held_by(pod: &str, lease: &Lease) -> bool {
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref());
    holder.is_some_and(|holder| holder.starts_with(pod))
}
