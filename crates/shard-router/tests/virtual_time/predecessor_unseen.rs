//! A replica whose lists of Leases fail does not hear that an operator that does not shard took the coordinator Lease over, and wins its shards
//! again. The layout is still on that Lease, as it was.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use lease_core::Timings;
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, ID, NAMESPACE},
    predecessor::{HOLDER, Takes, write},
    widget::{Widget, create},
};

const WIDGETS: usize = 16;
const SHARDS: u16 = 2;

/// How many reconciles began while the predecessor held the Lease. Panics if they do not go on when it has gone.
pub(crate) async fn begun_beside_it() -> usize {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let replica = harness.start(harness.options("a", SHARDS), move |_: Arc<Widget>, _: Held| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Action::requeue(Duration::from_secs(1))) }
    });
    let all = || async { begun.load(Ordering::Relaxed) >= WIDGETS };
    harness.until("every widget to be reconciled", all).await;

    // Cut off, it loses its shards and hears of nothing that follows.
    replica.network.swallow(true);
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    harness.clock.sleep(Timings::standard().takeover_bound()).await;
    write(&leases, Takes::KeepingLabels, HOLDER, 15, &harness).await;
    let (at_takeover, since) = (begun.load(Ordering::Relaxed), harness.clock.wall());
    replica.network.refuse_lease_lists(true);
    replica.network.cut();
    replica.network.swallow(false);

    let won = || async {
        write(&leases, Takes::KeepingLabels, HOLDER, 15, &harness).await;
        shards_taken(&leases, since).await == usize::from(SHARDS)
    };
    harness.until("it to win its shards again", won).await;
    for _ in 0..30 {
        write(&leases, Takes::KeepingLabels, HOLDER, 15, &harness).await;
        harness.clock.sleep(Duration::from_secs(1)).await;
    }
    let beside = begun.load(Ordering::Relaxed) - at_takeover;

    // It goes, as client-go does: an empty holder.
    write(&leases, Takes::KeepingLabels, "", 1, &harness).await;
    replica.network.refuse_lease_lists(false);
    let goes_on = || async { begun.load(Ordering::Relaxed) >= at_takeover + beside + WIDGETS };
    harness.until("reconciles to go on", goes_on).await;
    beside
}

/// How many shard Leases this replica has written since then. All of its terms were over, so a write is an acquisition, or the end of one.
async fn shards_taken(leases: &Api<Lease>, since: Timestamp) -> usize {
    let leases = leases.list(&ListParams::default()).await.expect("listed");
    let shards = leases.iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-shard-")));
    let renewed = shards.filter_map(|lease| lease.spec.as_ref()?.renew_time.as_ref());
    renewed.filter(|renewed| renewed.0 > since).count()
}
