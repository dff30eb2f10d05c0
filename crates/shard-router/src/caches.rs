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
//! A child without the bucket label is shown by no watch, so its write is not awaited; it is reported instead ([`ChildLabels`]).
//!
//! The cache may still be older than what other clients have written. Then the write fails with a conflict, provided that the reconciler sets uid and resourceVersion as
//! preconditions of each write.

mod child_labels;
#[cfg(feature = "mutants")]
pub(crate) mod clean_up;
mod own_writes;
mod owned;
mod owned_error;
mod position;

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, core::ObjectMeta};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

pub(crate) use self::{
    child_labels::ChildLabels,
    own_writes::recorded,
    owned::{FirstLists, OwnedType, Watching},
};
pub use self::{child_labels::UnlabelledChild, owned_error::OwnedError};
use self::{
    own_writes::{OwnWrite, OwnWrites, Written},
    owned::OwnedCache,
    position::Position,
};
use crate::{
    kind_type::KindType,
    owned_resource::OwnedResource,
    rules,
    sharded::{ShardedObject, qualified},
    watch::scope::Scope,
    watched::{SharedWatch, WatchedError},
};

/// The caches of one shard's hold.
pub(crate) struct Caches {
    /// The kind of the custom resources.
    kind: KindType,
    /// The custom resources first, then each owned type, as they were declared.
    kinds: Vec<Kind>,
    watched: Vec<Watched>,
    own_writes: Mutex<OwnWrites>,
    labels: ChildLabels,
    moved: Notify,
}

/// What is watched of one type.
struct Kind {
    of: KindType,
    /// As `plural.group`.
    resource: String,
    scope: Scope,
    /// One for each watch.
    positions: Vec<Position>,
    /// Each of its lists has been answered, and at least one of them completely.
    answered: AtomicBool,
    /// The [`OwnedCache`] of an owned type; nothing for the custom resources, which a reflector keeps.
    objects: Option<Arc<dyn Any + Send + Sync>>,
}

/// A watched type, as one hold of one shard sees it.
struct Watched {
    scope: Scope,
    /// For each watch, whether the cache contains a read that was sent after the acquisition.
    current: Vec<AtomicBool>,
    /// The `SharedWatch`.
    objects: Arc<dyn Any + Send + Sync>,
}

impl Caches {
    /// `namespaces` are those that are watched.
    pub(crate) fn new<K: ShardedObject>(
        kind: &KindType,
        namespaces: &Scope,
        owned: &[OwnedType<K>],
        labels: ChildLabels,
        watched: impl IntoIterator<Item = (KindType, Arc<dyn Any + Send + Sync>)>,
    ) -> Arc<Self> {
        let of_kind = |kind: &KindType, objects| {
            let scope = namespaces.of_kind(kind);
            Kind {
                of: kind.clone(),
                resource: kind.resource(),
                positions: (0..scope.watches()).map(|_| Position::default()).collect(),
                scope,
                answered: AtomicBool::new(false),
                objects,
            }
        };
        let mut kinds = vec![of_kind(kind, None)];
        kinds.extend(owned.iter().map(|owned| of_kind(&owned.kind, Some((owned.cache)()))));
        let watched = watched.into_iter().map(|(kind, objects)| {
            let scope = namespaces.of_kind(&kind);
            let current = (0..scope.watches()).map(|_| AtomicBool::new(false)).collect();
            Watched { scope, current, objects }
        });
        let (watched, own_writes) = (watched.collect(), Mutex::default());
        Arc::new(Self { kind: kind.clone(), kinds, watched, own_writes, labels, moved: Notify::new() })
    }

    /// The kind of the custom resources.
    pub(crate) fn kind(&self) -> &KindType {
        &self.kind
    }

    /// The types that its resources own.
    pub(crate) fn owned_kinds(&self) -> impl Iterator<Item = KindType> {
        self.kinds[1..].iter().map(|kind| kind.of.clone())
    }

    /// Whether children carry the bucket label.
    pub(crate) fn labels(&self) -> &ChildLabels {
        &self.labels
    }

    /// The child with this type, namespace and name, in the state that the watch has shown last. The namespace is ignored if the type is cluster-scoped.
    pub(crate) fn owned<C>(
        &self,
        of: &KindType,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<C>>, OwnedError>
    where
        C: Resource + DeserializeOwned + Send + Sync + 'static,
    {
        let child = || of.api.kind.clone();
        // Several types may have one Rust type, if they are not known at compile time.
        let is_of = |kind: &Kind| kind.of.api == of.api;
        let found = (1..self.kinds.len())
            .filter(|kind| is_of(&self.kinds[*kind]))
            .find_map(|kind| Some((&self.kinds[kind], self.objects::<C>(kind)?)));
        let (kind, cache) = found.ok_or_else(|| OwnedError::NotDeclared { kind: child() })?;
        if !kind.of.is_namespaced() {
            return cache.get(of, "", name);
        }
        let Some(namespace) = namespace else {
            return Err(OwnedError::NoNamespace { kind: child(), owner: self.kind.name() });
        };
        let is_listed = |watch: usize| kind.positions[watch].is_listed();
        // A reconcile of a namespaced resource begins only when its namespace has been listed.
        if !self.kind.is_namespaced() && !kind.scope.watch_of(Some(namespace)).is_some_and(is_listed) {
            return Err(OwnedError::NotListed { kind: child(), namespace: namespace.to_owned() });
        }
        cache.get(of, namespace, name)
    }

    /// The object with this type, namespace and name that resources depend on, in the state that the watch has shown last.
    pub(crate) fn watched<W: OwnedResource>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<W>>, WatchedError> {
        let watched_kind = KindType::of::<W>();
        let namespace = if watched_kind.is_namespaced() { namespace } else { "" };
        let kind = || watched_kind.api.kind.clone();
        let (of, named) = (|| namespace.to_owned(), || name.to_owned());
        let mut caches = self
            .watched
            .iter()
            .filter_map(|watched| Some((watched, watched.objects.downcast_ref::<SharedWatch<W>>()?)))
            .peekable();
        if caches.peek().is_none() {
            return Err(WatchedError::NotDeclared { kind: kind() });
        }
        // One type may have been declared with several selectors.
        for (watched, cache) in caches {
            let Some(watch) = watched.scope.watch_of(Some(namespace)) else {
                return Err(WatchedError::NamespaceNotWatched {
                    kind: kind(),
                    namespace: of(),
                    name: named(),
                });
            };
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
    pub(crate) async fn current(&self, namespace: Option<&str>, cr: &str) {
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

    /// Whether each owned type has been listed where children of a resource in this namespace can be, and each watched type since the acquisition. Those
    /// of a cluster-scoped resource can be anywhere. Where one of several lists of children was refused, a reconcile can begin without it:
    /// [`owned`](Self::owned) says what is not known.
    fn is_listed(&self, namespace: Option<&str>) -> bool {
        let is_listed = |kind: &Kind| match namespace {
            Some(_) => kind.scope.watch_of(namespace).is_some_and(|watch| kind.positions[watch].is_listed()),
            None => kind.answered.load(Ordering::Acquire),
        };
        rules::children_are_known(self.kinds[1..].iter().all(is_listed))
            && self.watched.iter().all(|watched| watched.is_current_for(namespace))
    }

    /// Whether the watches have shown what earlier reconciles of the resource wrote.
    fn has_own_writes(&self, cr: &str) -> bool {
        let is_shown = |write: &OwnWrite| self.kinds[write.kind].positions[write.watch].shows(write);
        rules::caches_are_current(self.own_writes.lock().all_shown(cr, is_shown))
    }

    /// A reconcile has written this object.
    fn wrote(&self, resource: &str, written: &Written) {
        // Resources of a kind may own others of the same kind.
        for kind in (0..self.kinds.len()).filter(|kind| self.kinds[*kind].resource == resource) {
            let cr = if kind == 0 { Some(written.name()) } else { self.owner(written) };
            let Some(cr) = cr.filter(|cr| kind == 0 || self.labels.is_shown(cr, resource, written)) else {
                continue;
            };
            let watch = self.kinds[kind].scope.watch_of(written.namespace());
            if let (Some(watch), Some(version)) = (watch, written.version()) {
                let write = self.kinds[kind].positions[watch].write(kind, watch, version);
                self.own_writes.lock().add(cr, write);
            }
        }
    }

    /// Whether the cache of an owned type keeps this object. Where the watch is not filtered by a label, it shows everybody's objects.
    fn keeps(&self, child: &ObjectMeta) -> bool {
        self.labels.are_needed()
            || child.owner_references.iter().flatten().any(|owner| is_owner(&self.kind, owner))
    }

    /// The resource that a child belongs to.
    fn owner(&self, child: &Written) -> Option<String> {
        let owner = child.owners().iter().find(|owner| is_owner(&self.kind, owner))?;
        let namespace = if self.kind.is_namespaced() { child.namespace() } else { None };
        Some(qualified(namespace, &owner.name))
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

    /// Each list of this owned type has been answered, and at least one of them completely.
    fn kind_answered(&self, kind: usize) {
        self.kinds[kind].answered.store(true, Ordering::Release);
        self.moved.notify_waiters();
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

    /// Whether a resource in this namespace can be reconciled. One that is in no namespace may depend on objects in any.
    fn is_current_for(&self, namespace: Option<&str>) -> bool {
        match namespace {
            Some(_) => self.scope.watch_of(namespace).is_some_and(|watch| self.is_current(watch)),
            None => (0..self.current.len()).all(|watch| self.is_current(watch)),
        }
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

/// Whether this refers to an object of the kind.
fn is_owner(kind: &KindType, owner: &OwnerReference) -> bool {
    owner.api_version == kind.api.api_version && owner.kind == kind.api.kind
}

#[cfg(test)]
mod tests;
