//! The running reconciles of a shard, and whether new ones may begin.
//!
//! kube-runtime has such a set too, but its graceful shutdown waits for the first list, no matter how long that takes, and
//! the set cannot be queried for an object.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Admits reconciles until it is closed.
#[derive(Default)]
pub(crate) struct Tracker {
    state: Mutex<State>,
    ended: Notify,
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    closed: bool,
    running: BTreeSet<String>,
    finished: BTreeSet<String>,
}

impl Tracker {
    /// Records that a reconcile of `cr` runs, until the ticket is dropped. `None` if it must not begin: the tracker is
    /// closed, another reconcile of the same resource runs, or this object (by uid) is finished.
    pub(crate) fn begin(self: &Arc<Self>, cr: &str, uid: &str) -> Option<Ticket> {
        let mut state = self.lock();
        if state.closed || state.finished.contains(uid) || !state.running.insert(cr.to_owned()) {
            return None;
        }
        Some(Ticket { tracker: self.clone(), cr: cr.to_owned() })
    }

    /// Closes the tracker. Closing and admitting use the same lock: reconciles that [`begin`](Self::begin) has admitted before
    /// are awaited, and none is admitted afterwards.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.closing.cancel();
    }

    /// Resolves when the tracker is closed.
    pub(crate) async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Resolves when no reconcile runs. Useful after [`close`](Self::close).
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            if self.is_idle() {
                return;
            }
            ended.await;
        }
    }

    /// Whether no reconcile runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().running.is_empty()
    }

    /// Whether a reconcile of this resource runs.
    pub(crate) fn is_running(&self, cr: &str) -> bool {
        self.lock().running.contains(cr)
    }

    /// Admits no further reconcile of the object with this uid: from now on its name may belong to another object.
    pub(crate) fn finish(&self, uid: &str) {
        self.lock().finished.insert(uid.to_owned());
    }

    /// Whether the last reconcile of this object is over.
    pub(crate) fn is_finished(&self, uid: &str) -> bool {
        self.lock().finished.contains(uid)
    }

    /// The cache no longer contains this object, so no reconcile of it would begin anyway.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().finished.remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A running reconcile, which ends when this is dropped.
pub(crate) struct Ticket {
    tracker: Arc<Tracker>,
    cr: String,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tracker.lock().running.remove(&self.cr);
        self.tracker.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn nothing_begins_after_the_close_and_what_began_is_waited_for() {
        let tracker = Arc::new(Tracker::default());
        let ticket = tracker.begin("ns/a", "1").unwrap();
        assert!(tracker.begin("ns/a", "1").is_none(), "one at a time");
        tracker.close();
        assert!(tracker.begin("ns/b", "2").is_none());
        assert!(tracker.idle().now_or_never().is_none());
        drop(ticket);
        assert!(tracker.idle().now_or_never().is_some());
    }

    #[test]
    fn a_finished_object_never_begins_again_but_its_namesake_does() {
        let tracker = Arc::new(Tracker::default());
        tracker.finish("1");
        assert!(tracker.is_finished("1") && !tracker.is_finished("2"));
        assert!(tracker.begin("ns/a", "1").is_none());
        assert!(tracker.begin("ns/a", "2").is_some());
        tracker.forget("1");
        assert!(tracker.lock().finished.is_empty(), "what is kept by uid has an end");
    }
}
