//! How much faster more replicas get through reconciles that wait for something slow outside of the API server.
//!
//! Requests take no time here, so that nothing but the waiting is measured: what is left is how evenly resources are spread, and how many
//! reconciles may wait at once.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams, core::ObjectMeta};
use lease_core::Timings;
use shard_router::{Action, Held, ShardKey};
use tokio::sync::Notify;

use crate::{
    harness::{Harness, ID, NAMESPACE},
    widget::{LABEL, Widget, create},
};

/// How long each reconcile waits.
const WORK: Duration = Duration::from_millis(200);

/// What one size came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// From the creation of the resources until the last reconcile ended, in virtual time.
    pub(crate) took: Duration,
    /// How many of the reconciles the busiest replica had.
    #[allow(dead_code, reason = "the curve has it, the test does not")]
    pub(crate) busiest: usize,
}

/// Makes so many resources while so many replicas hold so many shards between them, and waits until each was reconciled.
/// Each replica works on no more than `concurrency` at once.
pub(crate) async fn run(resources: usize, replicas: usize, shards: u16, concurrency: usize) -> Run {
    let harness = Harness::new().await;
    let left = Arc::new((AtomicUsize::new(resources), Notify::new()));
    let counts: Vec<_> = (0..replicas).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let mut running = Vec::new();
    for (number, count) in counts.iter().enumerate() {
        let options = harness.options(&format!("pod-{number}"), shards);
        let options = options.with_resync(None).with_concurrency(concurrency);
        let (clock, count, left) = (harness.clock.clone(), count.clone(), left.clone());
        let reconcile = move |_: Arc<Widget>, _: Held| {
            let (work, count, left) = (clock.sleep(WORK), count.clone(), left.clone());
            async move {
                work.await;
                count.fetch_add(1, SeqCst);
                if left.0.fetch_sub(1, SeqCst) == 1 {
                    left.1.notify_one();
                }
                Ok::<_, Infallible>(Action::await_change())
            }
        };
        running.push(harness.start(options, reconcile));
    }
    harness.until("the shards to be spread", || are_spread(&harness, replicas, usize::from(shards))).await;
    // The last of them fills its caches, which takes requests and so no time.
    harness.clock.sleep(Timings::standard().retry_period()).await;

    let begun = harness.clock.now().monotonic;
    for number in 0..resources {
        let (name, label) = named(number);
        create(&harness.widgets, &name, &[(LABEL, &label)]).await;
    }
    left.1.notified().await;
    let took = harness.clock.now().monotonic.duration_since(begun);
    for replica in running {
        replica.task.abort();
    }
    Run { took, busiest: counts.iter().map(|count| count.load(SeqCst)).max().unwrap_or_default() }
}

/// A name, and the bucket that it belongs to: stamping is not measured here.
fn named(number: usize) -> (String, String) {
    let name = format!("widget-{number:06}");
    let meta = ObjectMeta {
        name: Some(name.clone()),
        namespace: Some(NAMESPACE.to_owned()),
        ..ObjectMeta::default()
    };
    let bucket = ShardKey::of(&meta, None).bucket().to_string();
    (name, bucket)
}

/// Whether each shard is held, and no replica holds two more than another.
async fn are_spread(harness: &Harness, replicas: usize, shards: usize) -> bool {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.expect("the Leases are listed");
    let mut held = BTreeMap::<String, usize>::new();
    for lease in leases {
        let is_shard = lease.name_any().starts_with(&format!("{ID}-shard-"));
        let holder = lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty());
        if let Some(holder) = holder.filter(|_| is_shard) {
            *held.entry(holder).or_default() += 1;
        }
    }
    let (least, most) = (held.values().min(), held.values().max());
    held.values().sum::<usize>() == shards
        && held.len() == replicas
        && least.zip(most).is_some_and(|(least, most)| most - least <= 1)
}
