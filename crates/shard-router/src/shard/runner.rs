//! The work under a shard Lease, from the acquisition to the release.

#[cfg(feature = "mutants")]
mod faults;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream};
use kube::{
    Api, Resource,
    core::ObjectMeta,
    runtime::{Controller, controller, reflector::Store},
};
use lease_core::{Term, invariant};
use tokio::sync::mpsc;

use super::{
    hold_record::HoldRecord,
    reconcile::{ActiveShard, failures::Failures},
    reflect::{Observer, SideChannels, Watch, reflect},
    tracker::Tracker,
    undecodable,
    warm_up::{WaitsFor, WarmUp},
};
use crate::{
    authority::held::HeldShard,
    caches::{Caches, FirstLists, Watching},
    observability::{records::HoldFacts, retry_after::RetryAfter},
    reconciler::Reconciler,
    routing::{bucket::ShardId, layout::selector},
    setup::Setup,
    sharded::{Eligibility, Sharded, cr_name, cr_name_of},
    watch::{backoff::NoBackoff, lenient::Lenient},
};

/// Runs a shard for as long as it is held, or until it has drained. Cancelled by being dropped.
///
/// `confirmed` is awaited before anything starts; if it is `false`, the shard is released.
pub(crate) async fn run<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    shard: ShardId,
    term: Term,
    confirmed: impl Future<Output = bool> + Send,
) {
    let facts = HoldFacts { lease: term.lease().to_string(), shard, token: term.token().0 };
    let record = HoldRecord::begin(setup.recorder.clone(), facts, term.clone());
    let (progress, _end) = setup.progress.track(shard);
    let held_since = setup.clock.now().monotonic;
    let start =
        async { if confirmed.await { setup.starts.clone().acquire_owned().await.ok() } else { None } };
    let permit = tokio::select! {
        biased;
        // If the shard is drained before the start, there is nothing to wait for, so the first list is not awaited.
        () = term.draining() => return,
        () = record.follow_renewals() => return,
        permit = start => permit,
    };
    let Some(permit) = permit else { return };
    let warm_up = WarmUp {
        starts: setup.starts.clone(),
        permit: tokio::sync::Mutex::new(Some(permit)),
        held_since,
        progress,
        waits_for: WaitsFor::all(setup.owned.len()),
        is_complete: AtomicBool::new(false),
        facts: record.facts.clone(),
        recorder: setup.recorder.clone(),
        metrics: setup.metrics.clone(),
        clock: setup.clock.clone(),
    };
    work(setup, shard, term, record, Arc::new(warm_up)).await;
}

async fn work<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    shard: ShardId,
    term: Term,
    record: Arc<HoldRecord>,
    warm_up: Arc<WarmUp>,
) {
    let label: Arc<str> = setup.stamp.bucket_label.as_str().into();
    let caches = Caches::new(setup.scope.clone(), &setup.owned);
    let clients = (&setup.clients, &setup.stamper_clients);
    let retry_after = RetryAfter::new(setup.clock.clone(), setup.options.backoff.cap);
    let gated =
        HeldShard::new(shard, term.clone(), clients, label, &warm_up.progress, retry_after, caches.clone());
    let tracker = Arc::new(Tracker::default());
    let failures = Arc::new(Failures::default());
    let (repairs, repair_queue) = mpsc::unbounded_channel();
    let (undecodable, undecodable_queue) = mpsc::unbounded_channel();
    let selector = selector(&setup.stamp.bucket_label, &setup.layout.buckets_of(shard));
    let observer = ShardObserver {
        setup: setup.clone(),
        shard,
        tracker: tracker.clone(),
        failures: failures.clone(),
        warm_up: warm_up.clone(),
        caches,
    };
    let (store, triggers) = reflect(
        &setup.watcher(),
        watches(setup.scope.apis(&gated.client()), &setup),
        &selector,
        observer,
        SideChannels { repairs, undecodable },
        setup.order(),
    );
    let active_shard = ActiveShard::new(
        setup.clone(),
        gated.clone(),
        tracker.clone(),
        record.clone(),
        store.clone(),
        failures,
    );
    let mut controlling = Box::pin(control(active_shard, store, triggers, selector, warm_up));
    let stamper = setup.stamper(gated.housekeeping(), Duration::ZERO);
    let repairing = stamper
        .restore(receiver_stream(repair_queue), |object: &Lenient<K>| !tracker.is_running(&cr_name(object)));
    let reporting = undecodable::report(&setup, &gated, &tracker, receiver_stream(undecodable_queue));
    tokio::select! {
        () = drained(&term, &tracker) => {}
        () = &mut controlling => tracing::error!(lease = %term.lease(), "the controller of a shard has ended by itself"),
        () = repairing => {}
        () = reporting => {}
        () = record.follow_renewals() => {}
    }
    #[cfg(feature = "mutants")]
    if faults::skips_drain() {
        return faults::run_on(record, controlling);
    }
    drop(controlling);
    invariant!(tracker.is_idle(), "shard {shard} ends, to be released, while a reconcile of it runs");
}

/// One watch for each namespace, each with its own backoff.
fn watches<K: Sharded, R: Reconciler<K>>(apis: Vec<Api<Lenient<K>>>, setup: &Setup<K, R>) -> Vec<Watch<K>> {
    apis.into_iter().map(|api| Watch { api, backoff: setup.watch_backoff() }).collect()
}

/// Resolves when the shard was asked to drain and the last reconcile has ended.
async fn drained(term: &Term, tracker: &Tracker) {
    term.draining().await;
    #[cfg(feature = "mutants")]
    if faults::skips_drain() {
        return;
    }
    tracker.close();
    tracker.idle().await;
}

/// Drives a kube-runtime controller. Dropping this aborts its reconciles; when they are gone, their tracked futures have been dropped.
async fn control<K: Sharded, R: Reconciler<K>>(
    shard: Arc<ActiveShard<K, R>>,
    store: Store<K>,
    triggers: impl stream::Stream<Item = Result<K, kube::runtime::watcher::Error>> + Send + 'static,
    selector: String,
    warm_up: Arc<WarmUp>,
) {
    // The shard limits concurrent reconciles itself, so the runner has no limit.
    let config = controller::Config::default().concurrency(0);
    let mut controller =
        Controller::for_stream(triggers, store).with_config(config).trigger_backoff(NoBackoff);
    for (nth, owned) in shard.setup.owned.iter().enumerate() {
        controller = controller.reconcile_on((owned.watch)(Watching {
            caches: shard.held.caches().clone(),
            nth,
            client: shard.held.client(),
            selector: selector.clone(),
            watcher: shard.setup.watcher(),
            backoffs: (0..shard.setup.scope.watches()).map(|_| shard.setup.watch_backoff()).collect(),
            lists: warm_up.clone(),
        }));
    }
    let reconcile = |object: Arc<K>, shard: Arc<ActiveShard<K, R>>| {
        let term = shard.held.term.clone();
        let reconcile = Box::pin(shard.reconcile(object));
        #[cfg(feature = "mutants")]
        return faults::track(&term, reconcile);
        #[cfg(not(feature = "mutants"))]
        term.track(reconcile)
    };
    let policy =
        |object: Arc<K>, failure: &_, shard: Arc<ActiveShard<K, R>>| shard.after_failure(&object, failure);
    let term = shard.held.term.clone();
    let mut outcomes = std::pin::pin!(controller.run(reconcile, policy, shard));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            // Failures have already been reported, an object that left the cache is not a failure, and a watch
            // that has failed is retried and has been logged.
            Ok(_)
            | Err(
                controller::Error::ReconcilerFailed(..)
                | controller::Error::ObjectNotFound(_)
                | controller::Error::QueueError(_),
            ) => {}
            // The term is over: all of this is about to be dropped.
            Err(_) if !term.is_valid() => {}
            Err(error) => tracing::warn!(%error, "the controller of a shard has met an error"),
        }
    }
}

fn receiver_stream<T: Send>(mut receiver: mpsc::UnboundedReceiver<T>) -> impl stream::Stream<Item = T> {
    stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

/// The receiver of the reports of a shard's reflector.
struct ShardObserver<K: Sharded, R: Reconciler<K>> {
    setup: Arc<Setup<K, R>>,
    shard: ShardId,
    tracker: Arc<Tracker>,
    failures: Arc<Failures>,
    warm_up: Arc<WarmUp>,
    caches: Arc<Caches>,
}

impl<K: Sharded, R: Reconciler<K>> Observer<K> for ShardObserver<K, R> {
    fn eligibility(&self, object: &Lenient<K>) -> Eligibility {
        self.setup.stamp.eligibility(object.meta(), object.recorded_bucket())
    }

    fn shown(&self, watch: usize, version: Option<&str>) {
        self.caches.shown(watch, version);
    }

    fn list_begins(&self, watch: usize) {
        self.caches.list_begins(watch);
    }

    fn list_brings(&self, watch: usize, version: Option<&str>) {
        self.caches.listed(watch, version);
    }

    fn list_ends(&self, watch: usize) {
        self.caches.list_ends(watch);
    }

    fn listed(&self, objects: usize) {
        self.warm_up.listed(objects);
    }

    fn cached(&self, objects: usize) {
        self.setup.metrics.objects(self.shard, objects);
    }

    fn uncached(&self, object: &ObjectMeta) {
        if let Some(uid) = &object.uid {
            self.failures.forget(uid);
        }
    }

    fn left(&self, object: &ObjectMeta) {
        #[cfg(feature = "mutants")]
        crate::caches::clean_up::after(
            self.setup.owned.iter().map(|owned| &owned.clean_up),
            &self.setup.clients.ungated(),
            object,
        );
        self.caches.forget(&cr_name_of(object));
        if let Some(uid) = &object.uid {
            self.tracker.forget(uid);
        }
    }

    fn list_failed(&self) {
        self.warm_up.failed();
    }

    fn may_list(&self) -> BoxFuture<'static, ()> {
        self.warm_up.clone().may_list()
    }
}

impl<K: Sharded, R: Reconciler<K>> Drop for ShardObserver<K, R> {
    /// The cache ends with the reflector.
    fn drop(&mut self) {
        self.setup.metrics.objects(self.shard, 0);
    }
}

#[cfg(test)]
mod tests;
