//! The reflector in front of a shard's controller.
//!
//! kube-runtime's own would do but for three things: nobody can see when the first list is complete (the takeover
//! barrier), every object in the store gets reconciled (a resource whose label and status disagree must not be), and
//! a `DELETED` event of a filtered watch has to be kept from meaning anything but "not mine any more, or gone".

mod part;

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

use self::part::Part;
use crate::{
    mutants::{Mutant, active},
    scope::merged,
    sharded::{Fitness, Sharded},
    stamper::Change,
    watch_backoff::WatchBackoff,
};

/// The shard's part in what its reflector sees.
pub(crate) trait Observer<K>: Send + Sync + 'static {
    /// Whether the object may be reconciled.
    fn fitness(&self, object: &K) -> Fitness;
    /// Complete lists are in the store: the first time, this is the takeover barrier.
    fn listed(&self, objects: usize);
    /// So many objects are in the store now.
    fn cached(&self, objects: usize);
    /// The object is not in the store any more: it left the watch, or is not to be reconciled as it stands.
    fn uncached(&self, object: &K);
    /// The object left the watch.
    fn left(&self, object: &K);
}

/// What a reflector watches: one of these, or one for each namespace.
pub(crate) struct Watch<K> {
    pub(crate) api: Api<K>,
    pub(crate) backoff: WatchBackoff,
}

/// The store and the stream that triggers reconciles, for a controller. Objects that need a stamp go to `repairs`
/// and to nobody else.
///
/// A watcher starts with its first poll, after the acquisition, and its list is a consistent read
/// ([`ListSemantic::MostRecent`]): that is the takeover barrier. A list with resourceVersion "0" could be older than
/// the last write of the previous owner.
pub(crate) fn reflect<K: Sharded>(
    watches: Vec<Watch<K>>,
    selector: &str,
    observer: impl Observer<K>,
    repairs: mpsc::UnboundedSender<Change<K>>,
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
    let parts = watches.iter().map(|watch| Part::new(watch.api.namespace())).collect();
    let mut reflector = Reflector::new(parts, observer, repairs, order);
    let store = reflector.store.clone();
    let events = watches.into_iter().enumerate().map(|(part, Watch { api, backoff })| {
        let events = watcher::watcher(api, config.clone()).backoff(backoff);
        events.map(move |event| (part, event)).boxed()
    });
    let triggers = merged(events.collect()).flat_map(move |(part, event)| {
        stream::iter(match event {
            Ok(event) => reflector.apply(part, event).into_iter().map(Ok).collect(),
            Err(error) => {
                let due = reflector.failed(part).into_iter().map(Ok);
                std::iter::once(Err(error)).chain(due).collect::<Vec<_>>()
            }
        })
    });
    (store, triggers)
}

struct Reflector<K: Sharded, O> {
    writer: Writer<K>,
    store: Store<K>,
    observer: O,
    repairs: mpsc::UnboundedSender<Change<K>>,
    parts: Vec<Part<K>>,
    /// Whether the barrier is behind us; until then the store is empty.
    open: bool,
    order: fastrand::Rng,
}

impl<K: Sharded, O: Observer<K>> Reflector<K, O>
where
    K::DynamicType: Default + Eq + Hash + Clone,
{
    fn new(
        parts: Vec<Part<K>>,
        observer: O,
        repairs: mpsc::UnboundedSender<Change<K>>,
        order: fastrand::Rng,
    ) -> Self {
        let writer = Writer::<K>::default();
        let store = writer.as_reader();
        let mut reflector = Self { writer, store, observer, repairs, parts, open: false, order };
        if active(Mutant::NoBarrier) {
            reflector.open();
        }
        reflector
    }

    /// Takes one event of a part and returns the objects to reconcile because of it.
    ///
    /// Those of a list come in random order. The API server lists by name, and where shards change hands before all of
    /// their objects have had a turn, whatever is late in the alphabet would wait for ever.
    fn apply(&mut self, part: usize, event: Event<K>) -> Vec<K> {
        let due = self.take(part, event);
        self.observer.cached(self.store.len());
        due
    }

    fn take(&mut self, part: usize, event: Event<K>) -> Vec<K> {
        match event {
            Event::Init => {
                self.parts[part].begin_list();
                Vec::new()
            }
            Event::InitApply(object) if active(Mutant::NoBarrier) => self.applied(part, object),
            Event::InitApply(object) => {
                if let Some(fit) = self.judged(part, object) {
                    self.parts[part].keep(fit);
                }
                Vec::new()
            }
            Event::InitDone if active(Mutant::NoBarrier) => {
                self.observer.listed(self.store.len());
                Vec::new()
            }
            Event::InitDone => {
                self.parts[part].end_list();
                if self.open { self.relisted(part) } else { self.open_when_answered() }
            }
            Event::Apply(object) => self.applied(part, object),
            Event::Delete(object) => {
                self.observer.left(&object);
                self.repair(Change::Gone(object.clone()));
                self.remove(part, &object);
                Vec::new()
            }
        }
    }

    /// The watch of a part has failed; it is retried. If its namespace was all that the others waited for, they go on.
    fn failed(&mut self, part: usize) -> Vec<K> {
        self.parts[part].refused();
        if self.open { Vec::new() } else { self.open_when_answered() }
    }

    /// The barrier, once each part has been listed. A part that was refused instead (its namespace is gone, and with it the
    /// right to look there) holds nobody up, unless there is no other.
    fn open_when_answered(&mut self) -> Vec<K> {
        if !part::all_answered(&self.parts) {
            return Vec::new();
        }
        self.open();
        let due = self.parts.iter_mut().flat_map(Part::take_list).collect();
        self.stored(due)
    }

    fn open(&mut self) {
        self.open = true;
        self.writer.apply_watcher_event(&Event::Init);
        self.writer.apply_watcher_event(&Event::InitDone);
    }

    /// A part was listed again, since its watch had lost the thread: what is not in the list any more is gone.
    fn relisted(&mut self, part: usize) -> Vec<K> {
        for gone in self.parts[part].missing_from_list(&self.store.state()) {
            self.observer.left(&gone);
            self.writer.apply_watcher_event(&Event::Delete(K::clone(&gone)));
            self.observer.uncached(&gone);
        }
        let due = self.parts[part].take_list();
        self.stored(due)
    }

    fn stored(&mut self, mut listed: Vec<K>) -> Vec<K> {
        for object in &listed {
            self.writer.apply_watcher_event(&Event::Apply(object.clone()));
        }
        self.observer.listed(self.store.len());
        self.order.shuffle(&mut listed);
        listed
    }

    fn applied(&mut self, part: usize, object: K) -> Vec<K> {
        match self.judged(part, object) {
            Some(fit) if self.open => {
                self.writer.apply_watcher_event(&Event::Apply(fit.clone()));
                vec![fit]
            }
            Some(fit) => {
                self.parts[part].replace(fit);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The object, if it may be reconciled. Else it is out of the cache, so that no trigger of a child or of an earlier
    /// requeue finds it.
    fn judged(&mut self, part: usize, object: K) -> Option<K> {
        match self.observer.fitness(&object) {
            Fitness::Fit(_) => {
                self.repair(Change::Gone(object.clone()));
                Some(object)
            }
            Fitness::NeedsStamp => {
                self.remove(part, &object);
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
                self.remove(part, &object);
                None
            }
        }
    }

    fn remove(&mut self, part: usize, object: &K) {
        self.parts[part].drop_listed(object);
        self.writer.apply_watcher_event(&Event::Delete(object.clone()));
        self.observer.uncached(object);
    }

    /// Nobody listens any more once the shard has ended.
    fn repair(&self, change: Change<K>) {
        drop(self.repairs.send(change));
    }
}

#[cfg(test)]
mod tests;
