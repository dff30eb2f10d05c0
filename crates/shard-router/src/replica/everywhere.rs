//! Tasks of every replica, which hold no Lease that a restore of etcd would end.

use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{reconciler::Reconciler, setup::Setup, sharded::Sharded, task::NamedTask};

/// Runs the task until `stop`, and anew whenever history was rewound, if it has ended by then or not: watches and caches of it go
/// on from versions that other states have now, and what it did may be undone.
pub(super) async fn keep_up<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    task: NamedTask,
    stop: CancellationToken,
    mut histories: watch::Receiver<u64>,
) {
    loop {
        // Ends with `stop` as well.
        let ends = stop.child_token();
        let mut running = task.start(setup.clients.ungated(), None, ends.clone().cancelled_owned().boxed());
        let mut over = false;
        loop {
            tokio::select! {
                () = &mut running, if !over => over = true,
                changed = histories.changed() => match changed {
                    Ok(()) => break,
                    // The replica ends, and waits for nothing but the task.
                    Err(_) if over => return,
                    Err(_) => return running.await,
                },
                () = stop.cancelled(), if over => return,
            }
        }
        ends.cancel();
        if !over {
            tokio::select! {
                () = running => {}
                () = setup.clock.sleep(setup.options.drain_timeout) => {
                    tracing::warn!("a task did not end when history was rewound; it is aborted and begun anew");
                }
            }
        }
    }
}

/// Hands on how often history was rewound, to tasks that began before the elections.
pub(super) async fn announce_rewinds(mut rewinds: watch::Receiver<u64>, histories: watch::Sender<u64>) {
    while rewinds.changed().await.is_ok() {
        histories.send_replace(*rewinds.borrow_and_update());
    }
}
