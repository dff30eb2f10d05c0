//! The caches of a shard: the children of its resources, and the position of each watch.
//!
//! Reconciles make decisions based on these caches, so these conditions must be met before one begins:
//!
//! - *Each owned type has been listed* in the namespace after the acquisition (the takeover barrier). So an object that is not in the cache does not
//!   exist.
//! - *Each watched type* contains in the namespace what a read after the acquisition contains; see `watched`.
//! - *The watches have shown the writes of the last reconcile* of the same resource. Otherwise a reconcile could repeat a decision. client-go's informers
//!   leave this to their users; controller-runtime and the Java SDK guarantee it, too.
//!
//! The cache may still be older than what other clients have written. Then the write fails with a conflict, provided that the reconciler sets uid and resourceVersion as
//! preconditions of each write.

#[cfg(feature = "mutants")]
pub(crate) mod clean_up;
mod own_writes;
mod owned;
mod position;

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kube::{Resource, runtime::reflector::ObjectRef};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use self::owned::OwnedError;
pub(crate) use self::{
    own_writes::recorded,
    owned::{FirstLists, OwnedType, Watching},
};
use self::{
    own_writes::{OwnWrite, OwnWrites, Written},
    owned::OwnedCache,
    position::Position,
};
use crate::{
    owned_resource::{OwnedResource, resource},
    rules,
    sharded::Sharded,
    watch::scope::Scope,
    watched::{SharedWatch, WatchedError},
};

/// The caches of one shard's hold.
pub(crate) struct Caches {
    scope: Scope,
    /// The custom resources first, then each owned type, as they were declared.
    kinds: Vec<Kind>,
    watched: Vec<Watched>,
    own_writes: Mutex<OwnWrites>,
    /// Returns the resource that an object of an owned type belongs to.
    owner: fn(&Written) -> Option<String>,
    moved: Notify,
}

/// What is watched of one type.
struct Kind {
    /// As `plural.group`.
    resource: String,
    /// One for each watch.
    positions: Vec<Position>,
    /// The [`OwnedCache`] of an owned type; nothing for the custom resources, which a reflector keeps.
    objects: Option<Arc<dyn Any + Send + Sync>>,
}

/// A watched type, as one hold of one shard sees it.
struct Watched {
    /// For each watch, whether the cache contains a read that was sent after the acquisition.
    current: Vec<AtomicBool>,
    /// The `SharedWatch`.
    objects: Arc<dyn Any + Send + Sync>,
}

impl Caches {
    pub(crate) fn new<K: Sharded>(
        scope: Scope,
        owned: &[OwnedType<K>],
        watched: impl IntoIterator<Item = Arc<dyn Any + Send + Sync>>,
    ) -> Arc<Self> {
        let kind = |resource, objects| Kind {
            resource,
            positions: (0..scope.watches()).map(|_| Position::default()).collect(),
            objects,
        };
        let mut kinds = vec![kind(resource::<K>(), None)];
        kinds.extend(owned.iter().map(|owned| kind(owned.resource.clone(), Some((owned.cache)()))));
        let current = || (0..scope.watches()).map(|_| AtomicBool::new(false)).collect();
        let watched = watched.into_iter().map(|objects| Watched { current: current(), objects }).collect();
        let own_writes = Mutex::default();
        Arc::new(Self { scope, kinds, watched, own_writes, owner: owner::<K>, moved: Notify::new() })
    }

    /// The child with this type, namespace and name, in the state that the watch has shown last.
    pub(crate) fn owned<C>(&self, namespace: &str, name: &str) -> Result<Option<Arc<C>>, OwnedError>
    where
        C: Resource<DynamicType = ()> + Send + Sync + 'static,
    {
        let cache = (1..self.kinds.len()).find_map(|kind| self.objects::<C>(kind));
        cache.ok_or_else(|| OwnedError::NotDeclared { kind: C::kind(&()).into_owned() })?.get(namespace, name)
    }

    /// The object with this type, namespace and name that resources depend on, in the state that the watch has shown last.
    pub(crate) fn watched<W: OwnedResource>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<W>>, WatchedError> {
        let kind = || W::kind(&()).into_owned();
        let (of, named) = (|| namespace.to_owned(), || name.to_owned());
        let mut caches = self
            .watched
            .iter()
            .filter_map(|watched| Some((watched, watched.objects.downcast_ref::<SharedWatch<W>>()?)));
        let mut caches = caches.by_ref().peekable();
        if caches.peek().is_none() {
            return Err(WatchedError::NotDeclared { kind: kind() });
        }
        let Some(watch) = self.scope.watch_of(namespace) else {
            return Err(WatchedError::NamespaceNotWatched { kind: kind(), namespace: of(), name: named() });
        };
        // One type may have been declared with several selectors.
        for (watched, cache) in caches {
            if !watched.is_current(watch) {
                return Err(WatchedError::NotListed { kind: kind(), namespace: of(), name: named() });
            }
            if let Some(object) = cache.get(namespace, name)? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// The `nth` watched type contains, as far as the `watch`th watch covers it, a read that was sent after the acquisition.
    pub(crate) fn watched_is_current(&self, nth: usize, watch: usize) {
        self.watched[nth].current[watch].store(true, Ordering::Release);
        self.moved.notify_waiters();
    }

    /// The cache of this owned type, if it is of these objects.
    fn objects<C: Send + Sync + 'static>(&self, kind: usize) -> Option<&OwnedCache<C>> {
        self.kinds[kind].objects.as_ref()?.downcast_ref()
    }

    /// Resolves when a reconcile of this resource may use the caches.
    pub(crate) async fn current(&self, namespace: &str, cr: &str) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.is_listed(namespace) && self.has_own_writes(cr) {
                return;
            }
            moved.await;
        }
    }

    /// Whether each owned type has been listed in this namespace, and each watched type since the acquisition.
    fn is_listed(&self, namespace: &str) -> bool {
        let Some(watch) = self.scope.watch_of(namespace) else { return false };
        rules::children_are_known(self.kinds[1..].iter().all(|kind| kind.positions[watch].is_listed()))
            && self.watched.iter().all(|watched| watched.is_current(watch))
    }

    /// Whether the watches have shown what earlier reconciles of the resource wrote.
    fn has_own_writes(&self, cr: &str) -> bool {
        let is_shown = |write: &OwnWrite| self.kinds[write.kind].positions[write.watch].shows(write);
        rules::caches_are_current(self.own_writes.lock().all_shown(cr, is_shown))
    }

    /// A reconcile has written this object.
    fn wrote(&self, resource: &str, written: &Written) {
        let Some(kind) = self.kinds.iter().position(|kind| kind.resource == resource) else { return };
        let cr = if kind == 0 { Some(written.name()) } else { (self.owner)(written) };
        let Some(watch) = self.scope.watch_of(written.namespace()) else { return };
        if let (Some(cr), Some(version)) = (cr, written.version()) {
            let write = self.kinds[kind].positions[watch].write(kind, watch, version);
            self.own_writes.lock().add(cr, write);
        }
    }

    /// The resource was deleted, so its earlier writes need not be awaited any more.
    pub(crate) fn forget(&self, cr: &str) {
        self.own_writes.lock().forget(cr);
    }

    /// The watch of the custom resources has shown an object of this version.
    pub(crate) fn shown(&self, watch: usize, version: Option<&str>) {
        self.kind_shown(0, watch, version);
    }

    /// A list of the custom resources contained an object of this version.
    pub(crate) fn listed(&self, watch: usize, version: Option<&str>) {
        self.kinds[0].positions[watch].listed(version);
    }

    /// The watch of the custom resources begins a list.
    pub(crate) fn list_begins(&self, watch: usize) {
        self.kinds[0].positions[watch].list_begins();
    }

    /// The list of the custom resources is complete.
    pub(crate) fn list_ends(&self, watch: usize) {
        self.kind_list_ends(0, watch);
    }

    fn kind_shown(&self, kind: usize, watch: usize, version: Option<&str>) {
        self.kinds[kind].positions[watch].shown(version);
        // Usually no reconcile waits for an event.
        if !self.own_writes.lock().is_empty() {
            self.moved.notify_waiters();
        }
    }

    fn kind_list_ends(&self, kind: usize, watch: usize) {
        self.kinds[kind].positions[watch].list_ends();
        self.moved.notify_waiters();
    }
}

impl Watched {
    fn is_current(&self, watch: usize) -> bool {
        rules::watched_is_current(self.current[watch].load(Ordering::Acquire))
    }
}

#[cfg(test)]
impl Caches {
    /// As if a reconcile of this resource had written it, with a version that no watch has shown.
    pub(crate) fn note_write(&self, cr: &str) {
        self.own_writes.lock().add(cr.to_owned(), self.kinds[0].positions[0].write(0, 0, u64::MAX));
    }

    /// Whether anything is written that has not been shown.
    pub(crate) fn awaits_writes(&self) -> bool {
        !self.own_writes.lock().is_empty()
    }
}

/// The resource of kind `K` that an object belongs to, as `namespace/name`.
fn owner<K: Sharded>(written: &Written) -> Option<String> {
    let namespace = written.namespace();
    let owners = written.owners().iter();
    let mut owners = owners.filter_map(|owner| ObjectRef::<K>::from_owner_ref(Some(namespace), owner, ()));
    owners.next().map(|owner| format!("{namespace}/{}", owner.name))
}

#[cfg(test)]
mod tests;
