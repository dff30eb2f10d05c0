//! The user's tasks of every replica. They hold no Lease, so a restore of etcd does not end them by itself.

use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{setup::Setup, task::NamedTask};

/// Runs the task until `stop`, and starts it again after each restore of etcd, even if it had ended: the resourceVersions that its watches
/// and caches continue from mean other states then, and its writes may be undone.
pub(super) async fn run_until(
    setup: Arc<Setup>,
    task: NamedTask,
    stop: CancellationToken,
    mut histories: watch::Receiver<u64>,
) {
    loop {
        // Ends with `stop` as well.
        let ends = stop.child_token();
        let mut running =
            task.start(setup.task_clients.ungated(), None, ends.clone().cancelled_owned().boxed());
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
                    tracing::warn!("a task did not end after a restore of etcd; it is aborted and restarted");
                }
            }
        }
    }
}

/// Forwards the number of restores to tasks that were started before the elections.
pub(super) async fn forward_rewinds(mut rewinds: watch::Receiver<u64>, histories: watch::Sender<u64>) {
    while rewinds.changed().await.is_ok() {
        histories.send_replace(*rewinds.borrow_and_update());
    }
}
