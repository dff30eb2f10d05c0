//! The work on the resources of one kind in one shard, or on all of a kind that is not sharded, from the start permit to the end of the drain.

#[cfg(feature = "mutants")]
mod faults;
mod observer;

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Duration,
};

use futures::{
    StreamExt,
    future::{join_all, pending, ready},
    stream::{self, BoxStream},
};
use kube::{
    Api,
    runtime::{
        Controller, controller,
        reflector::{ObjectRef, Store},
    },
};
use lease_core::{FencingToken, Term, invariant};
use tokio::sync::mpsc;

use self::observer::ShardObserver;
use super::{
    reconcile::{ActiveShard, failures::Failures},
    reflect::{Due, SideChannels, Watch, reflect},
    tracker::Tracker,
    triggers::{Debounce, Trigger, merged},
    undecodable,
    warm_up::{WaitsFor, WarmUp},
    watched_barrier,
};
use crate::{
    authority::{buckets::BucketGroup, held::HeldShard},
    caches::{Caches, Watching},
    kind_type::KindType,
    kinds::Hold,
    news::News,
    observability::retry_after::RetryAfter,
    reconciler::Reconciler,
    setup::{KindSetup, Setup},
    sharded::{ShardedObject, cr_name},
    watch::lenient::Lenient,
    watched::{Cache, Opened, Triggers},
};

/// Waits for a start permit, and works. If the shard is drained before the start, there is nothing to wait for, so the first list is not awaited.
pub(super) async fn run<K: ShardedObject, R: Reconciler<K>>(kind: Arc<KindSetup<K, R>>, hold: Hold) {
    let starts = kind.setup.starts.clone();
    let permit = tokio::select! {
        biased;
        () = hold.term.draining() => return,
        () = hold.buckets.emptied() => return,
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

async fn work<K: ShardedObject, R: Reconciler<K>>(
    kind: Arc<KindSetup<K, R>>,
    hold: Hold,
    warm_up: Arc<WarmUp>,
) {
    let Hold { part, term, record, acquired, buckets, lane, .. } = hold;
    let setup = &kind.setup;
    let label: Arc<str> = kind.stamp.bucket_label.as_str().into();
    let Dependencies { watched, objects, triggers: watched_triggers } = open(&kind);
    let caches = Caches::new(&kind.kind, &setup.scope, &kind.owned, kind.child_labels(), objects);
    let clients = (&setup.clients, &setup.stamper_clients);
    let retry_after = RetryAfter::new(setup.clock.clone(), setup.options.backoff.cap);
    let gated = HeldShard::new(
        (part, FencingToken(record.facts.token)),
        (term.clone(), buckets.clone()),
        clients,
        setup.reporter(),
        label,
        (&warm_up.progress, retry_after),
        (caches.clone(), kind.applier.clone()),
    );
    let tracker = Arc::new(Tracker::default());
    let failures = Arc::new(Failures::default());
    let (news, of) = (News::new(kind.news.clone()), kind.kind.clone());
    let (repairs, repair_queue) = mpsc::unbounded_channel();
    let (undecodable, undecodable_queue) = mpsc::unbounded_channel();
    let selector = kind.selector(&buckets);
    let observer = ShardObserver {
        kind: kind.clone(),
        part,
        tracker: tracker.clone(),
        failures: failures.clone(),
        warm_up: warm_up.clone(),
        news: news.clone(),
        caches: caches.clone(),
        lane: lane.clone(),
        buckets: buckets.clone(),
        shown: AtomicUsize::new(0),
    };
    let (store, changes) = reflect(
        &kind.kind,
        &setup.watcher(),
        watches(setup.scope.apis(&kind.kind, &gated.client()), setup),
        &selector,
        observer,
        SideChannels { repairs, undecodable },
        (setup.order(), buckets.clone().closings().boxed()),
    );
    let changes = changes.filter_map(move |due| ready(trigger(&news, &of, &due)));
    let active_shard = ActiveShard::new(
        kind.clone(),
        gated.clone(),
        tracker.clone(),
        record.clone(),
        store.clone(),
        failures,
        lane.clone(),
    );
    let mut others: Vec<_> = watched_triggers.into_iter().map(|triggers| triggers(store.clone())).collect();
    others.push(kind.external.subscribe());
    others.extend(owned(&kind, &gated, &kind.child_selector(&buckets), &warm_up));
    let debounce = Debounce { delay: kind.debounce, clock: setup.clock.clone() };
    let triggers = merged(changes, others, debounce, (kind.kind.clone(), store.clone(), lane));
    let barrier = watched.iter().enumerate().map(|(nth, cache)| {
        watched_barrier::passed(
            cache.clone(),
            nth,
            acquired,
            caches.clone(),
            (kind.owned.len(), warm_up.clone()),
        )
    });
    let barriers = join_all(barrier.collect::<Vec<_>>());
    let mut controlling = Box::pin(control(active_shard, store, triggers));
    let stamper = kind.stamper(gated.housekeeping(), Duration::ZERO);
    let repairing = stamper
        .restore(receiver_stream(repair_queue), |object: &Lenient<K>| !tracker.is_running(&cr_name(object)));
    let reporting = undecodable::report(&kind, &gated, &tracker, receiver_stream(undecodable_queue));
    tokio::select! {
        () = drained(&term, &tracker) => {}
        () = given_away(&buckets, &tracker) => {}
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
    invariant!(tracker.is_idle(), "the hold of {part} ends, to be released, while a reconcile of it runs");
}

/// What the resources of a kind depend on, for one hold of one shard.
struct Dependencies<K: ShardedObject> {
    watched: Vec<Arc<dyn Cache>>,
    objects: Vec<(KindType, Arc<dyn Any + Send + Sync>)>,
    triggers: Vec<Triggers<K>>,
}

fn open<K: ShardedObject, R: Reconciler<K>>(kind: &KindSetup<K, R>) -> Dependencies<K> {
    let mut opened = Dependencies { watched: Vec::new(), objects: Vec::new(), triggers: Vec::new() };
    for watched in &kind.watched {
        let Opened { cache, kind: of, objects, triggers } = watched.open(kind.kind.clone());
        opened.watched.push(cache);
        opened.objects.push((of, objects));
        opened.triggers.push(triggers);
    }
    opened
}

/// What a change of a resource makes due, if it is news.
fn trigger<K: ShardedObject>(news: &News<K>, kind: &KindType, due: &Due<K>) -> Option<Trigger<K>> {
    let Due { object, why } = due;
    let meta = object.meta();
    let reference = || kind.reference(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default());
    news.is_news(object).then(|| Trigger { resource: reference(), why: *why })
}

/// The resources whose children have changed.
fn owned<K: ShardedObject, R: Reconciler<K>>(
    kind: &KindSetup<K, R>,
    held: &HeldShard,
    selector: &str,
    warm_up: &Arc<WarmUp>,
) -> Vec<BoxStream<'static, ObjectRef<K>>> {
    let owned = kind.owned.iter().enumerate().map(|(nth, owned)| {
        (owned.watch)(Watching {
            caches: held.caches().clone(),
            nth,
            client: held.client(),
            selector: selector.to_owned(),
            watcher: kind.setup.watcher(),
            backoffs: (0..kind.setup.scope.of_kind(&owned.kind).watches())
                .map(|_| kind.setup.watch_backoff())
                .collect(),
            lists: warm_up.clone(),
        })
    });
    owned.collect()
}

/// One watch for each namespace, each with its own backoff.
fn watches<K: ShardedObject>(apis: Vec<Api<Lenient<K>>>, setup: &Setup) -> Vec<Watch<K>> {
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

/// Resolves when all buckets have gone to other shards and the last reconcile has ended.
async fn given_away(buckets: &BucketGroup, tracker: &Tracker) {
    buckets.emptied().await;
    tracker.close();
    tracker.idle().await;
}

/// Drives a kube-runtime controller. Dropping this aborts its reconciles; when they are gone, their tracked futures have been dropped.
async fn control<K: ShardedObject, R: Reconciler<K>>(
    shard: Arc<ActiveShard<K, R>>,
    store: Store<K>,
    triggers: BoxStream<'static, ObjectRef<K>>,
) {
    // The shard limits concurrent reconciles itself, so the runner has no limit.
    let config = controller::Config::default().concurrency(0);
    // All triggers come by one stream, which neither ends nor fails.
    let information = shard.kind.kind.information();
    let controller = Controller::for_stream_with(stream::pending(), store, information)
        .with_config(config)
        .reconcile_on(triggers);
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

#[cfg(test)]
mod tests;
