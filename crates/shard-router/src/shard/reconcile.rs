//! One reconcile, from the queue to the end of its record.

pub(super) mod failures;
#[cfg(feature = "mutants")]
mod faults;
mod running;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use kube::{
    ResourceExt,
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};
use tracing::Instrument as _;

use self::{failures::Failures, running::Running};
use super::{owner_finalizer::remove_owner_finalizer, tracker::Tracker};
use crate::{
    authority::held::{Held, HeldShard},
    observability::{
        metrics::ShardLoad,
        records::{HoldRecord, ReconcileFacts},
    },
    reconciler::{Failure, Reconciler},
    setup::KindSetup,
    sharded::{Eligibility, ShardedObject, cr_name, cr_name_of_ref},
    turns::{Lane, Turn},
};

/// A shard that is being worked on.
pub(crate) struct ActiveShard<K: ShardedObject, R: Reconciler<K>> {
    pub(crate) kind: Arc<KindSetup<K, R>>,
    pub(crate) held: Arc<HeldShard>,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) record: Arc<HoldRecord>,
    store: Store<K>,
    /// Limits concurrent reconciles. kube-runtime starts a task for each object that is due, and the task waits here. So the queue can be measured, it
    /// is emptied at once when the shard drains, and an object is read from the cache only when its reconcile begins.
    lane: Arc<Lane>,
    load: ShardLoad,
    failures: Arc<Failures>,
}

impl<K: ShardedObject, R: Reconciler<K>> ActiveShard<K, R> {
    pub(crate) fn new(
        kind: Arc<KindSetup<K, R>>,
        held: Arc<HeldShard>,
        tracker: Arc<Tracker>,
        record: Arc<HoldRecord>,
        store: Store<K>,
        failures: Arc<Failures>,
        lane: Arc<Lane>,
    ) -> Arc<Self> {
        let load = kind.metrics.load(held.part, &kind.setup.clock);
        Arc::new(Self { kind, held, tracker, record, store, lane, load, failures })
    }

    /// Called by kube-runtime for each object that is due.
    pub(crate) async fn reconcile(self: Arc<Self>, object: Arc<K>) -> Result<Action, Failure<R::Error>> {
        let reference = self.reference(&object);
        if object.uid().is_some_and(|uid| self.tracker.is_finished(&uid)) {
            // Its last reconcile is over, and it is not known yet whether its name was freed.
            let Some(_bucket) = self.held.buckets.begin_by_label(object.meta()) else {
                return Ok(Action::await_change());
            };
            return self.remove_owner_finalizer(&object).await.map(|()| Action::await_change());
        }
        // The cache may change while this waits, so it is checked again afterwards.
        drop(object);
        let Some((running, object, turn)) = self.admit(&reference).await else {
            return Ok(Action::await_change());
        };
        let started = self.kind.setup.clock.now().monotonic;
        let _busy = self.load.begin();
        let earlier_failures = self.failures.of(&running.facts.uid);
        let held = self.held.for_object(running.facts.bucket, object.namespace(), earlier_failures);
        let (cr, labels) = (cr_name(object.as_ref()), self.held.caches().labels());
        labels.begin(&cr, running.facts.bucket);
        let result = tokio::select! {
            result = self.run(&object, held.clone()) => result,
            () = self.held.buckets.aborted(running.facts.bucket) => {
                labels.end(&cr);
                return Ok(Action::await_change());
            }
        };
        let result = match (result, labels.end(&cr)) {
            (Ok(_), Some(unlabelled)) => Err(Failure::UnlabelledChild(unlabelled)),
            (result, _) => result,
        };
        let took = self.kind.setup.clock.now().monotonic.duration_since(started);
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Failure::Panicked(_)) => "panic",
            Err(_) => "error",
        };
        if self.store.get(&reference).is_none() {
            // Its writes need not be awaited any more. They may have been recorded after the resource had left the cache.
            self.held.caches().forget(&cr);
        } else if result.is_err() && turn.is_for_change {
            // The retry is for the change, too.
            self.lane.changed(&cr);
        }
        // From here on no code of the user runs. The ticket is kept until the name is freed.
        let ticket = running.end(outcome, took);
        self.kind.metrics.reconciled(outcome, took);
        let action = match result {
            Ok(action) => self.remove_owner_finalizer(&object).await.map(|()| action),
            Err(failure) => Err(failure),
        };
        drop(ticket);
        if action.is_ok() {
            self.failures.forget(object.meta().uid.as_deref().unwrap_or_default());
        }
        action.map(|action| self.with_resync(action, held.again()))
    }

    /// Called by kube-runtime after a failure.
    pub(crate) fn after_failure(&self, object: &K, failure: &Failure<R::Error>) -> Action {
        let cr = cr_name(object);
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let failures = self.failures.count(uid, || {
            let cached = self.store.get(&self.reference(object));
            cached.is_some_and(|cached| cached.meta().uid.as_deref() == Some(uid))
        });
        let asked = self.held.retry_after.remaining();
        let setup = &self.kind.setup;
        let delay = setup.options.backoff.delay_as_asked(failures, setup.rng.roll(), asked);
        tracing::warn!(%cr, kind = self.kind.name, shard = %self.held.part.word(), failures, %failure, "a reconcile failed");
        let Some(policy) = &self.kind.error_policy else {
            return self.kind.reconciler.after_failure(object, failure, failures, delay);
        };
        match failure {
            Failure::Error(error) => policy(object, error, failures),
            other => policy(object, other, failures),
        }
    }

    /// Waits for a permit and writes the begin record; `None` if the reconcile must not begin.
    async fn admit(&self, reference: &ObjectRef<K>) -> Option<(Running, Arc<K>, Turn)> {
        let turn = {
            let _waiting = self.load.wait();
            tokio::select! {
                biased;
                () = self.tracker.closed() => return None,
                turn = self.turn(reference) => turn?,
            }
        };
        let object = self.store.get(reference)?;
        let eligibility = self.kind.eligibility(object.meta(), object.bucket_in_status());
        let Eligibility::Eligible(bucket) = eligibility else {
            return None;
        };
        let (cr, uid) = (cr_name(object.as_ref()), object.uid()?);
        // Its bucket may have gone to another shard.
        let of_bucket = self.held.buckets.begin(bucket)?;
        let tickets = (self.tracker.begin(&cr, &uid)?, of_bucket);
        let facts = ReconcileFacts {
            cr: self.kind.record_name(&cr),
            uid,
            generation: object.meta().generation,
            bucket,
            part: self.held.part,
            token: self.held.token.0,
            number: self.kind.setup.next_reconcile(),
        };
        // The record contains exactly the instant at which the validity was checked.
        let now = self.kind.setup.recorder.now();
        if !self.held.term.validity().holds_at(now) {
            return None;
        }
        self.kind.setup.recorder.begin(&facts, now);
        let running = Running::new(self.kind.setup.recorder.clone(), facts, tickets, self.record.clone());
        Some((running, object, turn))
    }

    /// Waits for a permit, after the caches are complete and contain what the last reconcile wrote.
    ///
    /// Each object requests one permit at a time, so an object that changes constantly waits behind the others that have changed.
    async fn turn(&self, reference: &ObjectRef<K>) -> Option<Turn> {
        let cr = cr_name_of_ref(reference);
        self.held.caches().current(reference.namespace.as_deref(), &cr).await;
        self.lane.turn(&cr).await
    }

    async fn run(&self, object: &Arc<K>, held: Held) -> Result<Action, Failure<R::Error>> {
        // The call itself may panic too, before there is a future.
        let span = tracing::info_span!(
            "reconcile",
            kind = self.kind.name,
            cr = cr_name(object.as_ref()),
            shard = %held.part().word(),
            token = held.token().0,
            replica = %self.kind.setup.options.elections.identity,
        );
        let work = async { self.kind.reconciler.reconcile(object.clone(), held).await }.instrument(span);
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(result) => result.map_err(Failure::Error),
            Err(panic) => {
                #[cfg(feature = "mutants")]
                let panic = faults::let_through(panic);
                Err(Failure::Panicked(message(panic.as_ref())))
            }
        }
    }

    fn reference(&self, object: &K) -> ObjectRef<K> {
        ObjectRef::from_obj_with(object, self.kind.kind.information())
    }

    /// After the last reconcile of a deleted object. While it has another finalizer, there will be another reconcile.
    async fn remove_owner_finalizer(&self, object: &Arc<K>) -> Result<(), Failure<R::Error>> {
        let freed = remove_owner_finalizer(&self.kind, &self.held, &self.tracker, object.meta()).await;
        freed.map_err(Failure::FinalizerNotRemoved)
    }

    /// A reconcile without a requeue is repeated when a child may be written again that had to wait, or after the resync interval.
    fn with_resync(&self, action: Action, again: Option<Duration>) -> Action {
        match self.kind.setup.options.resync {
            _ if action == Action::await_change() && again.is_some() => {
                again.map_or_else(Action::await_change, Action::requeue)
            }
            Some(interval) if action == Action::await_change() => {
                Action::requeue(interval.mul_f64(0.9 + 0.2 * self.kind.setup.rng.roll()))
            }
            _ => action,
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
