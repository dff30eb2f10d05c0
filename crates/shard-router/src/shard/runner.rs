//! The work on the resources of one kind in one shard, from the start permit to the end of the drain.

#[cfg(feature = "mutants")]
mod faults;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures::{
    StreamExt,
    future::{BoxFuture, join_all, pending, ready},
    stream::{self, BoxStream},
};
use kube::{
    Api, Resource,
    core::ObjectMeta,
    runtime::{
        Controller, controller,
        reflector::{ObjectRef, Store},
    },
};
use lease_core::{Term, invariant};
use tokio::sync::mpsc;

use super::{
    reconcile::{ActiveShard, failures::Failures},
    reflect::{Observer, SideChannels, Watch, reflect},
    tracker::Tracker,
    undecodable,
    warm_up::{WaitsFor, WarmUp},
    watched_barrier,
};
use crate::{
    authority::held::HeldShard,
    caches::{Caches, FirstLists, Watching},
    kinds::Hold,
    news::News,
    observability::retry_after::RetryAfter,
    reconciler::Reconciler,
    routing::{bucket::ShardId, layout::selector},
    setup::{KindSetup, Setup},
    sharded::{Eligibility, Sharded, cr_name, cr_name_of},
    watch::{backoff::NoBackoff, lenient::Lenient},
    watched::Opened,
};

/// Waits for a start permit, and works. If the shard is drained before the start, there is nothing to wait for, so the first list is not awaited.
pub(super) async fn run<K: Sharded, R: Reconciler<K>>(kind: Arc<KindSetup<K, R>>, hold: Hold) {
    let starts = kind.setup.starts.clone();
    let permit = tokio::select! {
        biased;
        () = hold.term.draining() => return,
        permit = starts.clone().acquire_owned() => permit,
    };
    let Ok(permit) = permit else { return };
    let warm_up = WarmUp {
        starts,
        permit: tokio::sync::Mutex::new(Some(permit)),
        held_since: hold.since,
        progress: hold.progress.clone(),
        waits_for: WaitsFor::all(kind.owned.len() + kind.watched.len()),
        is_complete: AtomicBool::new(false),
        facts: hold.record.facts.clone(),
        recorder: kind.setup.recorder.clone(),
        metrics: kind.setup.metrics.clone(),
        clock: kind.setup.clock.clone(),
    };
    work(kind, hold, Arc::new(warm_up)).await;
}

async fn work<K: Sharded, R: Reconciler<K>>(kind: Arc<KindSetup<K, R>>, hold: Hold, warm_up: Arc<WarmUp>) {
    let Hold { shard, term, record, acquired, .. } = hold;
    let setup = &kind.setup;
    let label: Arc<str> = kind.stamp.bucket_label.as_str().into();
    let (watched, watched_triggers): (Vec<_>, Vec<_>) = kind
        .watched
        .iter()
        .map(|watched| {
            let Opened { cache, objects, triggers } = watched.open();
            ((cache, objects), triggers)
        })
        .unzip();
    let objects = watched.iter().map(|(_, objects)| objects.clone());
    let caches = Caches::new(setup.scope.clone(), &kind.owned, objects);
    let clients = (&setup.clients, &setup.stamper_clients);
    let retry_after = RetryAfter::new(setup.clock.clone(), setup.options.backoff.cap);
    let gated = HeldShard::new(
        shard,
        term.clone(),
        clients,
        setup.reporter(),
        label,
        (&warm_up.progress, retry_after),
        (caches.clone(), kind.applier.clone()),
    );
    let tracker = Arc::new(Tracker::default());
    let failures = Arc::new(Failures::default());
    let news = News::new(kind.news.clone());
    let (repairs, repair_queue) = mpsc::unbounded_channel();
    let (undecodable, undecodable_queue) = mpsc::unbounded_channel();
    let selector = selector(&kind.stamp.bucket_label, &setup.layout.buckets_of(shard));
    let observer = ShardObserver {
        kind: kind.clone(),
        shard,
        tracker: tracker.clone(),
        failures: failures.clone(),
        warm_up: warm_up.clone(),
        news: news.clone(),
        caches: caches.clone(),
    };
    let (store, changes) = reflect(
        &setup.watcher(),
        watches(setup.scope.apis(&gated.client()), setup),
        &selector,
        observer,
        SideChannels { repairs, undecodable },
        setup.order(),
    );
    let changes =
        changes.filter(move |change| ready(change.as_ref().map_or(true, |object| news.is_news(object))));
    let active_shard = ActiveShard::new(
        kind.clone(),
        gated.clone(),
        tracker.clone(),
        record.clone(),
        store.clone(),
        failures,
    );
    let others = watched_triggers.into_iter().map(|triggers| triggers(store.clone())).collect();
    let barrier = watched.iter().enumerate().map(|(nth, (cache, _))| {
        watched_barrier::passed(
            cache.clone(),
            nth,
            acquired,
            caches.clone(),
            (kind.owned.len(), warm_up.clone()),
        )
    });
    let barriers = join_all(barrier.collect::<Vec<_>>());
    let mut controlling =
        Box::pin(control(active_shard, store, (changes, others), selector, warm_up.clone()));
    let stamper = kind.stamper(gated.housekeeping(), Duration::ZERO);
    let repairing = stamper
        .restore(receiver_stream(repair_queue), |object: &Lenient<K>| !tracker.is_running(&cr_name(object)));
    let reporting = undecodable::report(&kind, &gated, &tracker, receiver_stream(undecodable_queue));
    tokio::select! {
        () = drained(&term, &tracker) => {}
        () = &mut controlling => {
            tracing::error!(lease = %term.lease(), kind = kind.name, "the controller of a shard has ended by itself");
        }
        () = repairing => {}
        () = async { barriers.await; pending::<()>().await } => {}
        () = reporting => {}
    }
    #[cfg(feature = "mutants")]
    if faults::skips_drain() {
        return faults::run_on(record, controlling);
    }
    drop(controlling);
    invariant!(tracker.is_idle(), "shard {shard} ends, to be released, while a reconcile of it runs");
}

/// One watch for each namespace, each with its own backoff.
fn watches<K: Sharded>(apis: Vec<Api<Lenient<K>>>, setup: &Setup) -> Vec<Watch<K>> {
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
    (changes, others): (
        impl stream::Stream<Item = Result<K, kube::runtime::watcher::Error>> + Send + 'static,
        Vec<BoxStream<'static, ObjectRef<K>>>,
    ),
    selector: String,
    warm_up: Arc<WarmUp>,
) {
    // The shard limits concurrent reconciles itself, so the runner has no limit.
    let config = controller::Config::default().concurrency(0);
    // kube-runtime drops what is not in the store.
    let external = shard.kind.external.subscribe();
    let mut controller = Controller::for_stream(changes, store)
        .with_config(config)
        .trigger_backoff(NoBackoff)
        .reconcile_on(external);
    for watched in others {
        controller = controller.reconcile_on(watched);
    }
    for (nth, owned) in shard.kind.owned.iter().enumerate() {
        controller = controller.reconcile_on((owned.watch)(Watching {
            caches: shard.held.caches().clone(),
            nth,
            client: shard.held.client(),
            selector: selector.clone(),
            watcher: shard.kind.setup.watcher(),
            backoffs: (0..shard.kind.setup.scope.watches())
                .map(|_| shard.kind.setup.watch_backoff())
                .collect(),
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
    kind: Arc<KindSetup<K, R>>,
    shard: ShardId,
    tracker: Arc<Tracker>,
    failures: Arc<Failures>,
    warm_up: Arc<WarmUp>,
    news: Arc<News<K>>,
    caches: Arc<Caches>,
}

impl<K: Sharded, R: Reconciler<K>> Observer<K> for ShardObserver<K, R> {
    fn eligibility(&self, object: &Lenient<K>) -> Eligibility {
        self.kind.stamp.eligibility(object.meta(), object.recorded_bucket())
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
        self.kind.metrics.objects(self.shard, objects);
    }

    fn uncached(&self, object: &ObjectMeta) {
        if let Some(uid) = &object.uid {
            self.failures.forget(uid);
            self.news.forget(uid);
        }
    }

    fn left(&self, object: &ObjectMeta) {
        #[cfg(feature = "mutants")]
        crate::caches::clean_up::after(
            self.kind.owned.iter().map(|owned| &owned.clean_up),
            &self.kind.setup.clients.ungated(),
            object,
        );
        self.caches.forget(&cr_name_of(object));
        if let Some(uid) = &object.uid {
            self.tracker.forget(uid);
            self.kind.applier.forget(uid);
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
        self.kind.metrics.objects(self.shard, 0);
    }
}

#[cfg(test)]
mod tests;
