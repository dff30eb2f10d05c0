//! The time from holding a shard to its caches being complete: the takeover barrier, and the permits to fill caches.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{FutureExt, future::BoxFuture};
use lease_core::{Clock, Monotonic};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caches::FirstLists;
use crate::observability::{
    metrics::Metrics,
    progress::TermProgress,
    records::{HoldFacts, Recorder},
};

/// The start of one shard.
pub(crate) struct WarmUp {
    pub(super) starts: Arc<Semaphore>,
    /// Held while a first list is in progress. After a failure it is returned, so that shards whose lists do not fail get their
    /// turn meanwhile.
    pub(super) permit: tokio::sync::Mutex<Option<OwnedSemaphorePermit>>,
    pub(super) held_since: Monotonic,
    pub(super) progress: Arc<TermProgress>,
    pub(super) waits_for: Mutex<WaitsFor>,
    pub(super) is_complete: AtomicBool,
    pub(super) facts: HoldFacts,
    pub(super) recorder: Recorder,
    pub(super) metrics: Metrics,
    pub(super) clock: Arc<dyn Clock>,
}

/// What has not been listed yet.
pub(super) struct WaitsFor {
    /// How many custom resources there are, once that is known.
    objects: Option<usize>,
    /// Which owned types are missing, and, with the numbers that follow, which watched types.
    owned: BTreeSet<usize>,
}

impl WaitsFor {
    /// For the resources, and so many owned and watched types.
    pub(super) fn all(owned: usize) -> Mutex<Self> {
        Mutex::new(Self { objects: None, owned: (0..owned).collect() })
    }
}

impl WarmUp {
    /// The resources have been listed.
    pub(super) fn listed(&self, objects: usize) {
        self.waits_for.lock().objects.get_or_insert(objects);
        self.complete();
    }

    fn complete(&self) {
        let objects = {
            let waits_for = self.waits_for.lock();
            let Some(objects) = waits_for.objects.filter(|_| waits_for.owned.is_empty()) else { return };
            objects
        };
        if self.is_complete.swap(true, Ordering::Relaxed) {
            return;
        }
        self.recorder.start_ready(&self.facts, objects);
        self.metrics.started(self.clock.now().monotonic.duration_since(self.held_since));
        self.progress.listed();
        // The next shard may fill its caches now.
        self.give_back();
    }

    fn give_back(&self) {
        // The holder of the lock is waiting for a permit, so there is none to return.
        if let Ok(mut permit) = self.permit.try_lock() {
            *permit = None;
        }
    }

    /// Waits for a permit unless there is one; the first of several lists that are to be retried waits for all.
    async fn take_again(&self) {
        let mut permit = self.permit.lock().await;
        if permit.is_none() {
            *permit = self.starts.clone().acquire_owned().await.ok();
        }
    }

    async fn wait_for_permit(&self) {
        if self.is_complete.load(Ordering::Relaxed) {
            return;
        }
        self.take_again().await;
        // The lists of others may have been complete meanwhile.
        if self.is_complete.load(Ordering::Relaxed) {
            self.give_back();
        }
    }
}

impl FirstLists for WarmUp {
    fn answered(&self, nth: usize) {
        self.waits_for.lock().owned.remove(&nth);
        self.complete();
    }

    fn failed(&self) {
        self.give_back();
    }

    fn may_list(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move { self.wait_for_permit().await }.boxed()
    }
}
