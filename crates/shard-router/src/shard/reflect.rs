//! The reflector in front of a shard's controller.
//!
//! kube-runtime's own would do but for three things: nobody can see when the first list is complete (the takeover
//! barrier), every object in the store gets reconciled (a resource whose label and status disagree must not be), and
//! a `DELETED` event of a filtered watch has to be kept from meaning anything but "not mine any more, or gone".

use std::hash::Hash;

use futures::{Stream, StreamExt, stream};
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        reflector::{Store, store::Writer},
        watcher::{self, Event, ListSemantic},
    },
};
use tokio::sync::mpsc;

use crate::{
    mutants::{Mutant, active},
    sharded::{Fitness, Sharded},
    stamper::Change,
    watch_backoff::WatchBackoff,
};

/// The shard's part in what its reflector sees.
pub(crate) trait Observer<K>: Send + Sync + 'static {
    /// Whether the object may be reconciled.
    fn fitness(&self, object: &K) -> Fitness;
    /// A complete list is in the store: the first time, this is the takeover barrier.
    fn listed(&self, objects: usize);
    /// So many objects are in the store now.
    fn cached(&self, objects: usize);
    /// The object left the watch.
    fn left(&self, object: &K);
}

/// The store and the stream that triggers reconciles, for a controller. Objects that need a stamp go to `repairs`
/// and to nobody else.
///
/// The watcher starts with its first poll, after the acquisition, and its list is a consistent read
/// ([`ListSemantic::MostRecent`]): that is the takeover barrier. A list with resourceVersion "0" could be older than
/// the last write of the previous owner.
pub(crate) fn reflect<K: Sharded>(
    api: Api<K>,
    selector: &str,
    observer: impl Observer<K>,
    repairs: mpsc::UnboundedSender<Change<K>>,
    backoff: WatchBackoff,
    order: fastrand::Rng,
) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static)
where
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let mut config = watcher::Config::default().labels(selector).list_semantic(ListSemantic::MostRecent);
    if active(Mutant::NoBarrier) {
        // Page by page, so that tests with few objects see it begin before the end of the list.
        config = config.any_semantic().page_size(1);
    }
    let mut writer = Writer::<K>::default();
    if active(Mutant::NoBarrier) {
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
    }
    let store = writer.as_reader();
    let mut reflector =
        Reflector { writer, store: store.clone(), observer, repairs, listed: Vec::new(), order };
    let events = watcher::watcher(api, config).backoff(backoff);
    let triggers = events.flat_map(move |event| {
        stream::iter(match event {
            Ok(event) => reflector.apply(event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    (store, triggers)
}

struct Reflector<K: Sharded, O> {
    writer: Writer<K>,
    store: Store<K>,
    observer: O,
    repairs: mpsc::UnboundedSender<Change<K>>,
    /// What a list under way has brought so far.
    listed: Vec<K>,
    order: fastrand::Rng,
}

impl<K: Sharded, O: Observer<K>> Reflector<K, O>
where
    K::DynamicType: Default + Eq + Hash + Clone,
{
    /// Takes one event and returns the objects to reconcile because of it.
    ///
    /// Those of a list come in random order. The API server lists by name, and where shards change hands before all of
    /// their objects have had a turn, whatever is late in the alphabet would wait for ever.
    fn apply(&mut self, event: Event<K>) -> Vec<K> {
        let due = self.take(event);
        self.observer.cached(self.store.len());
        due
    }

    fn take(&mut self, event: Event<K>) -> Vec<K> {
        match event {
            Event::Init => {
                self.writer.apply_watcher_event(&Event::Init);
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) if active(Mutant::NoBarrier) => {
                self.applied(object, Event::Apply).into_iter().collect()
            }
            Event::InitApply(object) => {
                let fit = self.applied(object, Event::InitApply);
                self.listed.extend(fit);
                Vec::new()
            }
            Event::InitDone => {
                if !active(Mutant::NoBarrier) {
                    self.writer.apply_watcher_event(&Event::InitDone);
                }
                self.observer.listed(self.store.len());
                let mut listed = std::mem::take(&mut self.listed);
                self.order.shuffle(&mut listed);
                listed
            }
            Event::Apply(object) => self.applied(object, Event::Apply).into_iter().collect(),
            Event::Delete(object) => {
                self.observer.left(&object);
                self.repair(Change::Gone(object.clone()));
                self.writer.apply_watcher_event(&Event::Delete(object));
                Vec::new()
            }
        }
    }

    fn applied(&mut self, object: K, event: fn(K) -> Event<K>) -> Option<K> {
        match self.observer.fitness(&object) {
            Fitness::Fit(_) => {
                self.repair(Change::Gone(object.clone()));
                self.writer.apply_watcher_event(&event(object.clone()));
                Some(object)
            }
            Fitness::NeedsStamp => {
                // Out of the store, so that no trigger of a child or of an earlier requeue finds it.
                self.writer.apply_watcher_event(&Event::Delete(object.clone()));
                self.repair(Change::Seen(object));
                None
            }
            Fitness::Unprotected => {
                tracing::warn!(
                    namespace = object.namespace(),
                    name = object.name_any(),
                    "the object is being deleted and lacks the finalizer that keeps its name taken; it is not \
                     reconciled any more: remove its other finalizers by hand if nothing is left to clean up"
                );
                self.writer.apply_watcher_event(&Event::Delete(object));
                None
            }
        }
    }

    /// Nobody listens any more once the shard has ended.
    fn repair(&self, change: Change<K>) {
        drop(self.repairs.send(change));
    }
}

#[cfg(test)]
mod tests;
