//! Somebody deletes the coordinator Lease and the shard Leases of a fleet with 4 shards, which is cut off meanwhile, while a
//! replica with 8 waits.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use lease_core::{Clock, Monotonic};
use shard_router::{Action, Held, Reconciler};

use crate::{
    blackhole::Blackhole,
    harness::{Harness, ID, NAMESPACE},
    widget::{Widget, create},
};

const WIDGETS: usize = 32;
const RECONCILE: Duration = Duration::from_millis(300);
const AGAIN: Duration = Duration::from_millis(200);

/// When each widget was reconciled, and by whom.
pub(crate) type Reconciles = Arc<Mutex<Vec<(String, &'static str, Monotonic, Monotonic)>>>;

/// Reconciles of one widget by both replicas at once, in words.
pub(crate) async fn overlaps() -> Vec<String> {
    let harness = Harness::new().await;
    let names: Vec<String> = (0..WIDGETS).map(|number| format!("widget-{number}")).collect();
    for name in &names {
        create(&harness.widgets, name, &[]).await;
    }
    let reconciles = Reconciles::default();
    let old = harness.start(harness.options("old", 4), recording("old", &reconciles, &harness));
    harness
        .until("old to reconcile everything", || async { reconciled_by("old", &reconciles) == WIDGETS })
        .await;
    let new = harness.start(harness.options("new", 8), recording("new", &reconciles, &harness));
    // It sees another layout, and refuses.
    harness.clock.sleep(Duration::from_secs(5)).await;

    delete_leases(&harness, &old.network).await;
    // LeaseDuration is 15 s: long enough for new to commit its layout and take every shard.
    harness
        .until("new to reconcile everything", || async { reconciled_by("new", &reconciles) == WIDGETS })
        .await;
    drop((old, new));
    both_at_once(&reconciles.lock().expect("no panic"))
}

/// Somebody deletes the coordinator Lease and then the shard Leases, whose holder is cut off in between.
pub(crate) async fn delete_leases(harness: &Harness, holder: &Blackhole) {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    delete(&leases, ID).await;
    harness.clock.sleep(Duration::from_millis(10_500)).await;
    holder.swallow(true);
    for lease in leases.list(&ListParams::default()).await.expect("listed") {
        if lease.name_any().starts_with(&format!("{ID}-shard-")) {
            delete(&leases, &lease.name_any()).await;
        }
    }
}

pub(crate) async fn delete(leases: &Api<Lease>, name: &str) {
    leases.delete(name, &DeleteParams::default()).await.expect("deleted");
}

/// How many widgets that replica has reconciled.
pub(crate) fn reconciled_by(replica: &str, reconciles: &Reconciles) -> usize {
    let reconciles = reconciles.lock().expect("no panic");
    let mut names: Vec<_> =
        reconciles.iter().filter(|(_, by, ..)| *by == replica).map(|(name, ..)| name).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Reconciles each widget again and again, and notes when. What is dropped in the middle is noted up to there.
pub(crate) fn recording(
    replica: &'static str,
    reconciles: &Reconciles,
    harness: &Harness,
) -> impl Reconciler<Widget> + use<> {
    let (reconciles, clock) = (reconciles.clone(), harness.clock.clone());
    move |widget: Arc<Widget>, _: Held| {
        let running = Running {
            name: widget.name_any(),
            replica,
            begun: Monotonic::from_origin(clock.now().monotonic.since_origin()),
            clock: clock.clone(),
            reconciles: reconciles.clone(),
        };
        async move {
            running.clock.sleep(RECONCILE).await;
            drop(running);
            Ok::<_, Infallible>(Action::requeue(AGAIN))
        }
    }
}

struct Running {
    name: String,
    replica: &'static str,
    begun: Monotonic,
    clock: Arc<dyn Clock>,
    reconciles: Reconciles,
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.clock.now().monotonic;
        let reconcile = (std::mem::take(&mut self.name), self.replica, self.begun, ended);
        self.reconciles.lock().expect("no panic").push(reconcile);
    }
}

/// Reconciles of one widget by two replicas at once, in words.
pub(crate) fn both_at_once(reconciles: &[(String, &str, Monotonic, Monotonic)]) -> Vec<String> {
    let mut by_name = BTreeMap::<&str, Vec<_>>::new();
    for (name, replica, begun, ended) in reconciles {
        by_name.entry(name).or_default().push((*begun, *ended, *replica));
    }
    let mut overlaps = Vec::new();
    for (name, mut reconciles) in by_name {
        reconciles.sort_unstable();
        for pair in reconciles.windows(2) {
            let ((_, ended, one), (begun, _, other)) = (pair[0], pair[1]);
            if one != other && begun < ended {
                overlaps.push(format!("{name}: {other} began at {begun:?}, and {one} ended at {ended:?}"));
            }
        }
    }
    overlaps
}
