//! Reconcilers that misbehave.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube_testkit::eventually;
use lease_core::OnOverrun;
use shard_router::{Action, Held};

use crate::{
    fleet::{DEADLINE, Fleet},
    scenarios::{self, quick},
    widget::{Widget, create},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_stays_with_its_resource_and_backs_off() {
    let Some(fleet) = Fleet::new("the whole path from watch to requeue is meant").await else { return };
    assert_eq!(scenarios::panics(&fleet).await, [""; 0]);
}

/// A reconciler that blocks its thread can be neither aborted nor joined. Its Lease is not renewed any more, another
/// replica takes the shard, and the process is told that it cannot go on; here a hook stands in for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reconciler_that_blocks_its_thread_beyond_the_lease_loses_the_shard() {
    let Some(fleet) = Fleet::new("the Lease has to expire there").await else { return };
    let overrun = Arc::new(AtomicBool::new(false));
    let release = Arc::new(AtomicBool::new(false));
    let mut options = fleet.options("pod-a", 1);
    let told = overrun.clone();
    options.elections.on_overrun = OnOverrun::Call(Arc::new(move |_| told.store(true, Ordering::SeqCst)));
    let blocked_until = release.clone();
    let stuck = fleet.start(options, move |_widget: Arc<Widget>, _held: Held| {
        let release = blocked_until.clone();
        async move {
            while !release.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok::<_, Infallible>(Action::await_change())
        }
    });
    fleet.settle_at(&[1]).await;
    create(&fleet.widgets, "w", &[]).await;
    let other = fleet.start(fleet.options("pod-b", 1), quick);
    eventually("the other replica to hold the shard", DEADLINE, || async {
        fleet.holders().await.values().any(|holder| *holder == other.identity).then_some(())
    })
    .await;
    fleet.reconciled(&["w".to_owned()]).await;
    eventually("the stuck replica to be told to end", DEADLINE, || async {
        overrun.load(Ordering::SeqCst).then_some(())
    })
    .await;
    release.store(true, Ordering::SeqCst);
    other.terminate().await;
    stuck.terminate().await;
}
