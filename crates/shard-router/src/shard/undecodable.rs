//! Objects of a shard that do not decode: each is named in the log, in a metric, in an event on it and, if the operator says how,
//! in its status. Other objects are not affected. The object is reconciled again once it has been corrected.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt};
use kube::{
    Resource,
    runtime::events::{Event, EventType, Recorder},
};
use parking_lot::{Mutex, MutexGuard};

use super::{
    owner_finalizer::{only_owner_finalizer_is_left, remove_owner_finalizer},
    tracker::Tracker,
};
use crate::{
    authority::held::HeldShard,
    reconciler::Reconciler,
    setup::KindSetup,
    sharded::{ShardedObject, cr_name},
    stamper::{Change, Completion, process_changes},
    watch::lenient::{Lenient, Undecodable},
};

/// The `reason` of the event.
const REASON: &str = "CannotBeDecoded";

/// Reports the objects of the stream, until it is dropped.
pub(super) async fn report<K: ShardedObject, R: Reconciler<K>>(
    kind: &KindSetup<K, R>,
    held: &HeldShard,
    tracker: &Arc<Tracker>,
    changes: impl Stream<Item = Change<Lenient<K>>>,
) {
    let reports = Reports { kind, held, tracker, told: Mutex::default() };
    let mut count = Count { kind, held, objects: BTreeSet::new(), shown: 0 };
    let changes = changes.inspect(|change| {
        if let Change::Settled(cr) = change {
            reports.told().remove(cr);
        }
        count.take(change);
    });
    let reports = &reports;
    let report = |object: Lenient<K>| {
        async move {
            match &object {
                Lenient::Decoded(_) => Completion::Done,
                Lenient::Undecodable(undecodable) => reports.report(&object, undecodable).await,
            }
        }
        .boxed()
    };
    process_changes(kind.setup.clock.as_ref(), Duration::ZERO, changes, report).await;
}

struct Reports<'a, K: ShardedObject, R: Reconciler<K>> {
    kind: &'a KindSetup<K, R>,
    held: &'a HeldShard,
    tracker: &'a Arc<Tracker>,
    /// The events published, with the uid of their object and their text.
    told: Mutex<BTreeMap<String, (Option<String>, String)>>,
}

impl<K: ShardedObject, R: Reconciler<K>> Reports<'_, K, R> {
    async fn report(&self, object: &Lenient<K>, undecodable: &Undecodable) -> Completion {
        let cr = cr_name(object);
        let kind = &self.kind.kind.api.kind;
        if only_owner_finalizer_is_left(undecodable.metadata(), &self.kind.stamp.owner_finalizer) {
            return self.remove_finalizer(&cr, undecodable).await;
        }
        self.say(&format!("{kind} {cr} cannot be decoded, {}", what_now(undecodable)));
        let event = self.publish(&cr, object, undecodable).await;
        let client = self.held.housekeeping();
        let status = self.kind.reconciler.report_undecodable(undecodable, client).await;
        match event.and(status) {
            Ok(()) => Completion::Done,
            Err(kube::Error::Api(status)) if status.code == 404 => Completion::Done,
            // It has changed since. The watch brings its new state, which may have to be reported again.
            Err(kube::Error::Api(status)) if status.code == 409 => Completion::Conflict,
            Err(error) => {
                self.say(&format!(
                    "the status of {kind} {cr} could not be updated to say that it cannot be decoded; this is retried: {error}"
                ));
                Completion::Failed
            }
        }
    }

    /// The object is being deleted, for which it does not have to be decoded.
    async fn remove_finalizer(&self, cr: &str, undecodable: &Undecodable) -> Completion {
        let uid = undecodable.metadata().uid.as_deref().unwrap_or_default();
        // A reconcile that began when the object could be decoded may still run.
        let ticket = self.tracker.begin(cr, uid);
        if ticket.is_none() && !self.tracker.is_finished(uid) {
            return Completion::Deferred;
        }
        // The bucket may have gone to another shard, whose holder does it then.
        let Some(_bucket) = self.held.buckets.begin_by_label(undecodable.metadata()) else {
            return Completion::Done;
        };
        match remove_owner_finalizer(self.kind, self.held, self.tracker, undecodable.metadata()).await {
            Ok(()) => Completion::Done,
            Err(kube::Error::Api(status)) if status.code == 409 => Completion::Conflict,
            Err(error) => {
                let kind = &self.kind.kind.api.kind;
                self.say(&format!(
                    "{kind} {cr} cannot be decoded and is being deleted, but the finalizer of its owner could not be removed; it \
                     is retried: {error}"
                ));
                Completion::Failed
            }
        }
    }

    /// One event for each error of an object, however often the object changes meanwhile.
    async fn publish(
        &self,
        cr: &str,
        object: &Lenient<K>,
        undecodable: &Undecodable,
    ) -> Result<(), kube::Error> {
        let news = (undecodable.metadata().uid.clone(), what_now(undecodable));
        if self.told().get(cr) == Some(&news) {
            return Ok(());
        }
        let recorder = Recorder::new(self.held.housekeeping(), self.kind.setup.reporter());
        let event = Event {
            type_: EventType::Warning,
            reason: REASON.to_owned(),
            note: Some(format!("The resource cannot be decoded, {}", what_now(undecodable))),
            action: "Decode".to_owned(),
            secondary: None,
        };
        recorder.publish(&event, &object.object_ref(&self.kind.kind.information())).await?;
        self.told().insert(cr.to_owned(), news);
        Ok(())
    }

    fn say(&self, line: &str) {
        if let Some(withheld) = self.kind.setup.log_limit.due(line, self.kind.setup.clock.now().monotonic) {
            tracing::warn!(withheld, "{line}");
        }
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<String, (Option<String>, String)>> {
        self.told.lock()
    }
}

/// The rest of the sentence: what becomes of it, what to do, and what is wrong with it.
fn what_now(undecodable: &Undecodable) -> String {
    let metadata = undecodable.metadata();
    let error = undecodable.error();
    if metadata.deletion_timestamp.is_none() {
        return format!("and it is not reconciled until it is corrected: {error}");
    }
    let finalizers = metadata.finalizers.as_deref().unwrap_or_default().join(", ");
    format!(
        "and its deletion waits for its finalizers ({finalizers}); correct it, or remove by hand the finalizers that are not needed any more: {error}"
    )
}

/// How many there are, as a metric for as long as the shard is held here.
struct Count<'a, K: ShardedObject, R: Reconciler<K>> {
    kind: &'a KindSetup<K, R>,
    held: &'a HeldShard,
    objects: BTreeSet<String>,
    shown: usize,
}

impl<K: ShardedObject, R: Reconciler<K>> Count<'_, K, R> {
    fn take(&mut self, change: &Change<Lenient<K>>) {
        match change {
            Change::Pending(object) => self.objects.insert(cr_name(object)),
            Change::Settled(cr) => self.objects.remove(cr),
            // The reflector says of each object by itself that it is gone.
            Change::Listed { .. } => false,
        };
        let now = self.objects.len();
        self.kind.metrics.undecodable(self.held.part, std::mem::replace(&mut self.shown, now), now);
    }
}

impl<K: ShardedObject, R: Reconciler<K>> Drop for Count<'_, K, R> {
    fn drop(&mut self) {
        self.kind.metrics.undecodable(self.held.part, self.shown, 0);
    }
}
