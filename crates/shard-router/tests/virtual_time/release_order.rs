//! The order in which a replica gives up what it has: announce, drain, release the shards and the coordinator Lease, release the member Lease.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use shard_router::{Action, Held};

use crate::{
    harness::{HUNG, Harness, ID, NAMESPACE, Replica},
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const WIDGETS: usize = 6;
/// How long a reconcile and the task of the coordinator take to end; each is within the drain timeout.
const RECONCILE: Duration = Duration::from_secs(7);
const TASK: Duration = Duration::from_secs(4);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The work of a replica, as it knows of it itself.
#[derive(Clone, Default)]
struct Work {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    task_ended: Arc<AtomicBool>,
}

impl Work {
    fn running(&self) -> usize {
        self.begun.load(Ordering::Relaxed) - self.ended.load(Ordering::Relaxed)
    }
}

/// The Leases at one time.
struct Look {
    shards_held: usize,
    coordinator_is_held: bool,
    /// Whether there is a member Lease, and whether it says that its replica drains.
    member: Option<bool>,
}

impl Look {
    async fn at(leases: &Api<Lease>) -> Self {
        let leases = leases.list(&ListParams::default()).await.expect("listed").items;
        let is_held = |lease: &&Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref());
            holder.is_some_and(|holder| holder.starts_with("op-0"))
        };
        let named = |part: String| leases.iter().filter(move |lease| lease.name_any().starts_with(&part));
        let drains = |lease: &Lease| lease.annotations().keys().any(|key| key.ends_with("/draining"));
        Self {
            shards_held: named(format!("{ID}-shard-")).filter(is_held).count(),
            coordinator_is_held: leases
                .iter()
                .filter(|lease| lease.name_any() == ID)
                .any(|lease| is_held(&lease)),
            member: named(format!("{ID}-member-")).next().map(drains),
        }
    }

    /// What is in the wrong order, in words.
    fn faults(&self, work: &Work) -> Vec<&'static str> {
        let all_shards = usize::from(SHARDS);
        let released = self.shards_held < all_shards || !self.coordinator_is_held;
        [
            (
                released && self.member == Some(false),
                "released before it is announced that the replica drains",
            ),
            (self.shards_held == 0 && work.running() > 0, "released beside a reconcile, or one was aborted"),
            (
                !self.coordinator_is_held && !work.task_ended.load(Ordering::Relaxed),
                "the coordinator Lease was released beside a task",
            ),
            (
                self.member.is_none() && (self.shards_held > 0 || self.coordinator_is_held),
                "the member Lease went before the others",
            ),
        ]
        .into_iter()
        .filter_map(|(is_so, what)| is_so.then_some(what))
        .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_announces_drains_and_releases_in_this_order() {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let work = Work::default();
    let (network, app) = harness.app(harness.options("op-0", SHARDS));
    let (of_task, of_reconciles, clock) = (work.clone(), work.clone(), harness.clock.clone());
    let task_clock = clock.clone();
    let app = app.run_on_coordinator("slow", move |context| {
        let (work, clock) = (of_task.clone(), task_clock.clone());
        async move {
            context.shutdown().await;
            clock.sleep(TASK).await;
            work.task_ended.store(true, Ordering::Relaxed);
        }
    });
    let reconcile = move |_: Arc<Widget>, _: Held| {
        let (work, clock) = (of_reconciles.clone(), clock.clone());
        async move {
            work.begun.fetch_add(1, Ordering::Relaxed);
            clock.sleep(RECONCILE).await;
            work.ended.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Action::requeue(Duration::from_millis(1)))
        }
    };
    let Replica { stop, task, network: _network } = Harness::run((network, app), reconcile);
    let all_run = || async { work.running() == WIDGETS };
    harness.until("a reconcile of each widget to run", all_run).await;
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let before = Look::at(&leases).await;
    assert_eq!((before.shards_held, before.member), (usize::from(SHARDS), Some(false)), "not settled");
    assert!(before.coordinator_is_held);

    stop.send(()).expect("it runs");
    let mut announced_while_working = false;
    let ended = tokio::time::timeout(HUNG, async {
        while !task.is_finished() {
            let look = Look::at(&leases).await;
            assert_eq!(look.faults(&work), Vec::<&str>::new());
            announced_while_working |= look.member == Some(true) && work.running() == WIDGETS;
            harness.clock.sleep(BETWEEN_LOOKS).await;
        }
    });
    ended.await.expect("it ends");
    task.await.expect("no panic").expect("no error");
    let after = Look::at(&leases).await;
    assert_eq!(after.faults(&work), Vec::<&str>::new());
    assert_eq!((after.shards_held, after.coordinator_is_held, after.member), (0, false, None));
    assert!(announced_while_working, "nothing was announced while anything ran");
}
