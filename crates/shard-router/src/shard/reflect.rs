//! The reflector in front of a shard's controller.
//!
//! kube-runtime's own reflector falls short in three ways. Its store becomes ready (`Store::wait_until_ready`) with the first list of one
//! watch, but the takeover barrier is the last list of several, and a namespace whose list is refused must not hold up the others.
//! Every object in its store gets reconciled, but one whose label and status disagree must not be. And a `DELETED` event of a filtered watch
//! means no more than "not mine any more, or gone".

#[cfg(feature = "mutants")]
mod faults;
mod observer;
mod part;

use std::sync::Arc;

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use kube::{
    Resource, ResourceExt,
    core::ObjectMeta,
    runtime::{
        reflector::{ObjectRef, Store, store::Writer},
        watcher::{Event, ListSemantic},
    },
};
use tokio::sync::mpsc;

pub(crate) use self::observer::{Observer, SideChannels, Watch};
use self::part::Part;
use crate::{
    kind_type::KindType,
    sharded::{Eligibility, ShardedObject, cr_name},
    stamper::Change,
    watch::{
        lenient::Lenient,
        scope::merged,
        watcher::{Watcher, selecting},
    },
};

/// The store and the stream that triggers reconciles, for a controller. Objects that need a stamp or do not decode go to the side channels
/// only.
///
/// A watcher starts with its first poll, after the acquisition, and its list is a consistent read
/// ([`ListSemantic::MostRecent`]): that is the takeover barrier. A list with resourceVersion "0" could be older than
/// the last write of the previous owner.
pub(crate) fn reflect<K: ShardedObject>(
    kind: &KindType,
    watcher: &Watcher,
    sources: Vec<Watch<K>>,
    selector: &str,
    observer: impl Observer<K>,
    side_channels: SideChannels<K>,
    (order, closings): (fastrand::Rng, BoxStream<'static, ()>),
) -> (Store<K>, impl Stream<Item = Due<K>> + Send + 'static) {
    let config = selecting(selector).list_semantic(ListSemantic::MostRecent);
    #[cfg(feature = "mutants")]
    let config = faults::list_as_it_comes(config);
    let observer = Arc::new(observer);
    let parts = sources.iter().map(|watch| Part::new(watch.api.namespace())).collect();
    let reflector = Reflector::new(kind, parts, observer.clone(), side_channels, order);
    #[cfg(feature = "mutants")]
    let reflector = reflector.open_at_once();
    let mut reflector = reflector;
    let store = reflector.store.clone();
    let events = sources.into_iter().enumerate().map(|(part, Watch { api, backoff })| {
        let observer = observer.clone();
        let events = watcher.watch(api, config.clone(), backoff, move || observer.may_list());
        events.map(move |event| (part, event)).boxed()
    });
    let closings = closings.map(|()| None);
    let triggers = stream::select(merged(events.collect()).map(Some), closings).flat_map(move |news| {
        let Some((part, event)) = news else {
            reflector.give_away();
            return stream::iter(Vec::new());
        };
        let is_event = matches!(event, Ok(Event::Apply(_)));
        let due = match event {
            Ok(event) => reflector.apply(part, event),
            // It has been logged, and is retried.
            Err(_) => reflector.failed(part),
        };
        let due = due.into_iter().map(|object| Due { why: Why::of(&object, is_event), object });
        stream::iter(due.collect::<Vec<_>>())
    });
    (store, triggers)
}

/// An object to reconcile.
pub(crate) struct Due<K> {
    pub(crate) object: K,
    pub(crate) why: Why,
}

/// Why a resource is due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An event tells that something has changed.
    Changed,
    /// It was listed. A list does not tell what has changed since its objects were reconciled last, but this one tells it itself.
    ListedUnobserved,
    /// It was listed.
    Listed,
}

impl Why {
    fn of<K: ShardedObject>(object: &K, is_event: bool) -> Self {
        match (is_event, object.generation_is_unobserved()) {
            (true, _) => Self::Changed,
            (false, true) => Self::ListedUnobserved,
            (false, false) => Self::Listed,
        }
    }
}

struct Reflector<K: ShardedObject, O> {
    kind: KindType,
    writer: Writer<K>,
    store: Store<K>,
    observer: Arc<O>,
    side_channels: SideChannels<K>,
    parts: Vec<Part<K>>,
    /// Whether the barrier is behind us; until then the store is empty.
    open: bool,
    order: fastrand::Rng,
}

impl<K: ShardedObject, O: Observer<K>> Reflector<K, O> {
    fn new(
        kind: &KindType,
        parts: Vec<Part<K>>,
        observer: Arc<O>,
        side_channels: SideChannels<K>,
        order: fastrand::Rng,
    ) -> Self {
        let writer = Writer::<K>::new(kind.information());
        let store = writer.as_reader();
        Self { kind: kind.clone(), writer, store, observer, side_channels, parts, open: false, order }
    }

    /// Takes one event of a part and returns the objects to reconcile because of it.
    ///
    /// Those of a list come in random order. The API server lists by name, and where shards change hands before all of
    /// their objects have had a turn, whatever is late in the alphabet would wait for ever.
    fn apply(&mut self, part: usize, event: Event<Lenient<K>>) -> Vec<K> {
        let position = Position::of(&event);
        let due = self.take(part, event);
        match position {
            Position::Begins => self.observer.list_begins(part),
            Position::Lists(version) => self.observer.list_brings(part, version.as_deref()),
            Position::Ends => self.observer.list_ends(part),
            Position::Shows(version) => self.observer.shown(part, version.as_deref()),
        }
        self.observer.cached(self.store.len());
        due
    }

    fn take(&mut self, part: usize, event: Event<Lenient<K>>) -> Vec<K> {
        #[cfg(feature = "mutants")]
        let event = match self.take_at_once(part, event) {
            std::ops::ControlFlow::Break(due) => return due,
            std::ops::ControlFlow::Continue(event) => event,
        };
        match event {
            Event::Init => {
                self.parts[part].begin_list();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some(fit) = self.admitted(part, object) {
                    self.parts[part].keep(fit);
                }
                Vec::new()
            }
            Event::InitDone => {
                for gone in self.parts[part].end_list() {
                    send(&self.side_channels.undecodable, Change::Settled(gone));
                }
                if self.open { self.relisted(part) } else { self.open_when_answered() }
            }
            Event::Apply(object) => self.applied(part, object),
            Event::Delete(object) => {
                self.observer.left(object.meta());
                send(&self.side_channels.repairs, Change::Settled(cr_name(&object)));
                self.decodes(part, &object);
                self.remove(part, object.meta());
                Vec::new()
            }
        }
    }

    /// The watch of a part has failed; it is retried. If its namespace was all that the others waited for, they go on.
    fn failed(&mut self, part: usize) -> Vec<K> {
        self.parts[part].refused();
        if self.open {
            return Vec::new();
        }
        let due = self.open_when_answered();
        if !self.open {
            self.observer.list_failed();
        }
        due
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
            self.observer.left(gone.meta());
            self.writer.apply_watcher_event(&Event::Delete(K::clone(&gone)));
            self.observer.uncached(gone.meta());
        }
        let due = self.parts[part].take_list();
        self.stored(due)
    }

    fn stored(&mut self, mut listed: Vec<K>) -> Vec<K> {
        // Buckets may have gone since the list began.
        listed.retain(|object| !self.observer.is_given_away(object.meta()));
        for object in &listed {
            self.writer.apply_watcher_event(&Event::Apply(object.clone()));
        }
        self.observer.listed(self.store.len());
        self.order.shuffle(&mut listed);
        listed
    }

    fn applied(&mut self, part: usize, object: Lenient<K>) -> Vec<K> {
        match self.admitted(part, object) {
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

    /// Buckets have gone to other shards: their objects leave the cache.
    fn give_away(&mut self) {
        for object in self.store.state() {
            if self.observer.is_given_away(object.meta()) {
                self.observer.left(object.meta());
                (0..self.parts.len()).for_each(|part| self.remove(part, object.meta()));
            }
        }
        self.observer.cached(self.store.len());
    }

    /// The object, if it may be reconciled. Else it is out of the cache, so that no trigger of a child or of an earlier
    /// requeue finds it.
    fn admitted(&mut self, part: usize, object: Lenient<K>) -> Option<K> {
        if self.observer.is_given_away(object.meta()) {
            self.decodes(part, &object);
            self.remove(part, object.meta());
            send(&self.side_channels.repairs, Change::Settled(cr_name(&object)));
            return None;
        }
        let decodes = match &object {
            Lenient::Decoded(_) => {
                self.decodes(part, &object);
                true
            }
            Lenient::Undecodable(_) => {
                self.parts[part].does_not_decode(cr_name(&object));
                send(&self.side_channels.undecodable, Change::Pending(object.clone()));
                false
            }
        };
        match self.observer.eligibility(&object) {
            Eligibility::Eligible(_) if decodes => {}
            Eligibility::Eligible(_) => self.remove(part, object.meta()),
            Eligibility::NeedsStamp => {
                self.remove(part, object.meta());
                send(&self.side_channels.repairs, Change::Pending(object));
                return None;
            }
            Eligibility::Unprotected => {
                tracing::warn!(
                    namespace = object.namespace(),
                    name = object.name_any(),
                    "the object is being deleted and lacks the finalizer that keeps its name taken; it is not \
                     reconciled any more: remove its other finalizers by hand if nothing is left to clean up"
                );
                self.remove(part, object.meta());
                return None;
            }
        }
        send(&self.side_channels.repairs, Change::Settled(cr_name(&object)));
        match object {
            Lenient::Decoded(mut fit) => {
                // Most of the size of an object, and nothing is decided by them.
                fit.meta_mut().managed_fields = None;
                Some(fit)
            }
            Lenient::Undecodable(_) => None,
        }
    }

    /// The object decodes, or is gone.
    fn decodes(&mut self, part: usize, object: &Lenient<K>) {
        let cr = cr_name(object);
        if self.parts[part].decodes(&cr) {
            send(&self.side_channels.undecodable, Change::Settled(cr));
        }
    }

    fn remove(&mut self, part: usize, object: &ObjectMeta) {
        self.parts[part].drop_listed(object);
        let name = object.name.as_deref().unwrap_or_default();
        let mut reference = ObjectRef::new_with(name, self.kind.information());
        reference.namespace.clone_from(&object.namespace);
        if let Some(cached) = self.store.get(&reference) {
            self.writer.apply_watcher_event(&Event::Delete(K::clone(&cached)));
            if cached.meta().uid != object.uid {
                self.observer.uncached(cached.meta());
            }
        }
        self.observer.uncached(object);
    }
}

/// What an event says of how far its watch has come.
enum Position {
    Begins,
    Lists(Option<String>),
    Ends,
    Shows(Option<String>),
}

impl Position {
    fn of<K: ResourceExt>(event: &Event<K>) -> Self {
        match event {
            Event::Init => Self::Begins,
            Event::InitApply(object) => Self::Lists(object.resource_version()),
            Event::InitDone => Self::Ends,
            Event::Apply(object) | Event::Delete(object) => Self::Shows(object.resource_version()),
        }
    }
}

/// Does nothing once the shard has ended and nobody receives.
fn send<T>(side_channels: &mpsc::UnboundedSender<T>, change: T) {
    drop(side_channels.send(change));
}

#[cfg(test)]
mod tests;
