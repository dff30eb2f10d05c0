//! Held is not working: a replica that cannot list its resources says so, and leaves its shards to one that can.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{Api, ResourceExt, api::ListParams};
use lease_core::Timings;
use shard_router::{Action, Held, Readiness, ReadinessProbe};

use crate::{
    blackhole::Blackhole,
    harness::{Harness, NAMESPACE, Replica},
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const WIDGETS: usize = 8;

struct Pod {
    network: Blackhole,
    readiness: ReadinessProbe,
    reconciled: Arc<Mutex<BTreeSet<String>>>,
    _replica: Replica,
}

impl Pod {
    /// Starts a replica that cannot find this type, or finds all.
    fn start(harness: &Harness, pod: &str, lost: Option<&'static str>) -> Self {
        let (network, mut app) = harness.app(harness.options(pod, SHARDS));
        network.lose(lost);
        let readiness = app.readiness();
        let reconciled = Arc::<Mutex<BTreeSet<String>>>::default();
        let seen = reconciled.clone();
        let reconcile = move |widget: Arc<Widget>, _: Held| {
            seen.lock().unwrap().insert(widget.name_any());
            async { Ok::<_, Infallible>(Action::await_change()) }
        };
        app.controller::<Widget>().owns::<ConfigMap>().run(reconcile);
        let replica = Harness::spawn(network.clone(), app);
        Self { network, readiness, reconciled, _replica: replica }
    }

    async fn unready_because(&self, harness: &Harness, part: &str) {
        let says = || async {
            matches!(self.readiness.get(), Readiness::NotReady { because } if because.contains(part))
        };
        harness.until(&format!("a replica to be not ready because of {part:?}"), says).await;
    }

    async fn is_ready(&self, harness: &Harness) {
        harness.until("a replica to be ready", || async { self.readiness.get() == Readiness::Ready }).await;
    }
}

/// How many shards a replica holds.
async fn held_by(harness: &Harness, pod: &str) -> usize {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let leases = leases.list(&ListParams::default()).await.unwrap();
    let shards = leases.iter().filter(|lease| lease.name_any().contains("-shard-"));
    let holder = |lease: &Lease| lease.spec.as_ref()?.holder_identity.clone();
    shards.filter_map(holder).filter(|holder| holder.starts_with(pod)).count()
}

async fn holds(harness: &Harness, pod: &str, shards: usize) {
    let what = format!("{pod} to hold {shards} shards");
    harness.until(&what, || async { held_by(harness, pod).await == shards }).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_list_leaves_its_shards_to_one_that_can_until_it_can_itself() {
    leaves_its_shards("widgets", "widgets.test.shard-router.dev").await;
}

/// A reconcile could not tell which children are there.
#[tokio::test(start_paused = true)]
async fn so_does_one_that_cannot_list_children() {
    leaves_its_shards("configmaps", "configmaps").await;
}

async fn leaves_its_shards(lost: &'static str, resource: &str) {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let blind = Pod::start(&harness, "blind", Some(lost));
    holds(&harness, "blind", 4).await;
    // Alone, it keeps what nobody else could take, and says that it does not work.
    blind.unready_because(&harness, "is held but not worked on for").await;
    harness.clock.sleep(Duration::from_secs(120)).await;
    assert_eq!(held_by(&harness, "blind").await, 4);
    blind.unready_because(&harness, &format!("the list of {resource} in all namespaces keeps failing")).await;

    let able = Pod::start(&harness, "able", None);
    holds(&harness, "able", 4).await;
    harness
        .until("every widget to be reconciled", || async { able.reconciled.lock().unwrap().len() == WIDGETS })
        .await;
    able.is_ready(&harness).await;
    blind.unready_because(&harness, "could not work on its shards").await;
    // They stay there, however often the other looks.
    for _ in 0..600 {
        harness.clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(held_by(&harness, "able").await, 4, "shards are passed to and fro");
    }

    blind.network.lose(None);
    let again = harness.clock.now().monotonic;
    holds(&harness, "blind", 2).await;
    blind.is_ready(&harness).await;
    let longest = 22 * Timings::standard().lease_duration();
    assert!(harness.clock.now().monotonic.duration_since(again) < longest);
}

/// Where nobody can, the shards stay where they are.
#[tokio::test(start_paused = true)]
async fn shards_that_nobody_can_work_on_are_not_passed_to_and_fro() {
    let harness = Harness::new().await;
    let pods = ["one", "two"].map(|pod| Pod::start(&harness, pod, Some("widgets")));
    for pod in &pods {
        pod.unready_because(&harness, "is held but not worked on").await;
    }
    harness.clock.sleep(Duration::from_secs(60)).await;
    let before = [held_by(&harness, "one").await, held_by(&harness, "two").await];
    assert_eq!(before, [2, 2]);
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let transitions = || async {
        let leases = leases.list(&ListParams::default()).await.unwrap();
        let of = |lease: &Lease| lease.spec.as_ref()?.lease_transitions;
        leases.iter().filter(|lease| lease.name_any().contains("-shard-")).filter_map(of).sum::<i32>()
    };
    let first = transitions().await;
    harness.clock.sleep(Duration::from_secs(900)).await;
    assert_eq!(transitions().await, first);
}
