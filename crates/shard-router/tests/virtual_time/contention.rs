//! Who takes a shard that is free, how soon, and with how many updates that meet a conflict.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use shard_router::{Action, Held};
use tokio::sync::watch;

use crate::{
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::{Widget, create},
};

const SHARDS: u16 = 12;

/// Replicas that share all shards evenly, as the plan says.
struct Fleet {
    harness: Harness,
    replicas: Vec<Replica>,
}

impl Fleet {
    async fn of<F>(size: usize, reconcile: impl Fn(&str) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let harness = Harness::new().await;
        let replicas = (0..size).map(|number| {
            let (pod, reconcile) = (format!("op-{number}"), reconcile.clone());
            let options = harness.options(&pod, SHARDS);
            harness.start(options, move |_: Arc<Widget>, _: Held| {
                let reconciled = reconcile(&pod);
                async move {
                    reconciled.await;
                    Ok::<_, Infallible>(Action::await_change())
                }
            })
        });
        let replicas = replicas.collect();
        let fleet = Self { harness, replicas };
        let share = usize::from(SHARDS) / size;
        fleet
            .harness
            .until("all replicas to hold as many shards", || async {
                let holders = fleet.holders().await;
                let held_by = |pod: usize| {
                    let prefix = format!("op-{pod}_");
                    holders.iter().filter(|holder| holder.starts_with(&prefix)).count()
                };
                (0..size).all(|pod| held_by(pod) == share)
            })
            .await;
        fleet
    }

    /// The holders of all shards; empty where there is none.
    async fn holders(&self) -> Vec<String> {
        let leases: Api<Lease> = Api::namespaced(self.harness.admin(), NAMESPACE);
        let leases = leases.list(&ListParams::default()).await.expect("listed");
        let of_shards =
            leases.items.into_iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-shard-")));
        of_shards.map(|lease| lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()).collect()
    }

    /// Changes with each renewal of the member Lease of this Pod.
    async fn renewals_of(&self, pod: &str) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.harness.admin(), NAMESPACE);
        let leases = leases.list(&ListParams::default()).await.expect("listed");
        let is_its_own = |lease: &&Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            lease.name_any().starts_with(&format!("{ID}-member-"))
                && holder.is_some_and(|holder| holder.starts_with(&format!("{pod}_")))
        };
        leases.items.iter().find(is_its_own)?.resource_version()
    }

    /// Resolves when the replicas of these Pods hold all shards, and says how long that took.
    async fn until_all_are_held_by(&self, pods: &[&str]) -> Duration {
        let begun = self.harness.clock.now().monotonic;
        self.harness
            .until("all shards to be held by those who are left", || async {
                let holders = self.holders().await;
                holders.iter().all(|holder| pods.iter().any(|pod| holder.starts_with(&format!("{pod}_"))))
            })
            .await;
        self.harness.clock.now().monotonic.duration_since(begun)
    }
}

/// One of four replicas falls silent. How many updates of shard Leases met a conflict until the others had its shards, as two tried at once.
pub(crate) async fn conflicts_after_a_death() -> usize {
    let fleet = Fleet::of(4, |_| std::future::ready(())).await;
    let conflicts = || fleet.replicas.iter().map(|replica| replica.network.shard_conflicts()).sum::<usize>();
    let before = conflicts();
    fleet.replicas[0].task.abort();
    fleet.replicas[0].network.swallow(true);
    fleet.until_all_are_held_by(&["op-1", "op-2", "op-3"]).await;
    conflicts() - before
}

/// A replica is told to stop in the middle of its reconciles and chooses its successors, and those are told to stop as well before it
/// has released anything. How long the last replica leaves the shards alone after that.
pub(crate) async fn taken_over_from_several_that_leave() -> Duration {
    let (go_on, busy) = watch::channel(true);
    let (signal, mut started) = watch::channel(false);
    let fleet = Fleet::of(4, move |pod: &str| {
        let (mut busy, signal) = (busy.clone(), signal.clone());
        let is_busy = pod == "op-0";
        async move {
            if is_busy {
                signal.send_replace(true);
                let _ = busy.wait_for(|busy| !*busy).await;
            }
        }
    });
    let mut fleet = fleet.await;
    for number in 0..4 * SHARDS {
        create(&fleet.harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    started.wait_for(|started| *started).await.expect("the first replica runs");
    let mut leaving = fleet.replicas.drain(..3).map(|replica| replica.stop).collect::<Vec<_>>().into_iter();
    leaving.next().expect("the first").send(()).expect("it runs");
    // As it cannot know yet that these leave, too.
    fleet.harness.clock.sleep(Duration::from_secs(1)).await;
    leaving.for_each(|stop| stop.send(()).expect("it runs"));
    fleet.until_all_are_held_by(&["op-0", "op-3"]).await;
    go_on.send_replace(false);
    fleet.until_all_are_held_by(&["op-3"]).await
}

/// A replica is told to stop when another one has been frozen for so long. How long it takes until the third has the shards of the first: the member Lease of the frozen one
/// has not expired yet, so the plan counts on it.
pub(crate) async fn taken_over_beside_one_that_is_frozen(frozen_for: Duration) -> Duration {
    let mut fleet = Fleet::of(3, |_| std::future::ready(())).await;
    let renewed = fleet.renewals_of("op-1").await;
    fleet
        .harness
        .until("the replica to renew its member Lease", || async {
            fleet.renewals_of("op-1").await != renewed
        })
        .await;
    fleet.replicas[1].network.swallow(true);
    fleet.harness.clock.sleep(frozen_for).await;
    fleet.replicas.remove(0).stop.send(()).expect("it runs");
    fleet.until_all_are_held_by(&["op-1", "op-2"]).await
}
