//! The children of one owned type.

mod objects;

use std::{any::Any, collections::BTreeMap, sync::Arc};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use kube::{
    Client, Resource,
    api::ListParams,
    core::{DynamicObject, ObjectMeta},
    runtime::{
        reflector::ObjectRef,
        watcher::{Event, ListSemantic},
    },
};

pub(super) use self::objects::OwnedCache;
use self::objects::{Kept, Key};
use super::{Caches, is_owner};
use crate::{
    kind_type::KindType,
    owned_resource::{ChildObject, OwnedResource},
    sharded::ShardedObject,
    watch::first_list::{ListState, all_answered},
    watch::{
        backoff::WatchBackoff,
        lenient::Lenient,
        scope::{Scope, merged},
        watcher::{Watcher, selecting},
    },
};

/// A type of children.
pub(crate) struct OwnedType<K: ShardedObject> {
    pub(crate) kind: KindType,
    /// An empty cache.
    pub(super) cache: fn() -> Arc<dyn Any + Send + Sync>,
    /// Whether it can be listed in any of the namespaces.
    pub(crate) can_list: fn(KindType, Scope, Client, ListParams) -> BoxFuture<'static, bool>,
    /// Watches it and fills the cache; see [`watch`].
    pub(crate) watch: fn(Watching) -> BoxStream<'static, ObjectRef<K>>,
    #[cfg(feature = "mutants")]
    pub(crate) clean_up: super::clean_up::CleanUp,
}

/// What the watches of one owned type need.
pub(crate) struct Watching {
    pub(crate) caches: Arc<Caches>,
    /// Which of the owned types it is, from 0.
    pub(crate) nth: usize,
    pub(crate) client: Client,
    /// The same buckets as the custom resources; empty for all children.
    pub(crate) selector: String,
    pub(crate) watcher: Watcher,
    /// One for each watch.
    pub(crate) backoffs: Vec<WatchBackoff>,
    pub(crate) lists: Arc<dyn FirstLists>,
}

/// Is notified about the first lists of owned types.
pub(crate) trait FirstLists: Send + Sync {
    /// The lists of the `nth` owned type have been answered in every namespace, and at least one has succeeded.
    fn answered(&self, nth: usize);
    /// A list or a watch has failed before.
    fn failed(&self);
    /// Resolves when a list that failed may be requested again.
    fn may_list(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl<K: ShardedObject> OwnedType<K> {
    pub(crate) fn of<C: OwnedResource>() -> Self {
        Self::with::<C>(KindType::of::<C>())
    }

    /// A type that is not known at compile time.
    pub(crate) fn dynamic(kind: KindType) -> Self {
        Self::with::<DynamicObject>(kind)
    }

    fn with<C: ChildObject>(kind: KindType) -> Self {
        Self {
            #[cfg(feature = "mutants")]
            clean_up: super::clean_up::clean_up::<C>(kind.clone()),
            kind,
            cache: || Arc::new(OwnedCache::<C>::default()),
            can_list: |kind, scope, client, params| {
                async move { scope.can_list::<C>(&kind, &client, &params).await }.boxed()
            },
            watch: watch::<K, C>,
        }
    }
}

/// Watches one owned type and yields the resources to reconcile: the owners of each object that
/// has appeared, changed or disappeared, even if only a list shows that.
fn watch<K: ShardedObject, C: ChildObject>(watching: Watching) -> BoxStream<'static, ObjectRef<K>> {
    let Watching { caches, nth, client, selector, watcher, backoffs, lists } = watching;
    let kind = nth + 1;
    let apis = caches.kinds[kind].scope.apis::<C>(&caches.kinds[kind].of, &client);
    let config = selecting(&selector).list_semantic(ListSemantic::MostRecent);
    let namespaces = apis.iter().map(|api| api.namespace().map(str::to_owned)).collect::<Vec<_>>();
    let events = apis.into_iter().zip(backoffs).enumerate().map(|(part, (api, backoff))| {
        let lists = lists.clone();
        let events = watcher.watch(api, config.clone(), backoff, move || lists.clone().may_list());
        events.map(move |event| (part, event)).boxed()
    });
    let mut parts: Vec<_> = namespaces.into_iter().map(Part::new).collect();
    let mut is_answered = false;
    let triggers = merged(events.collect()).flat_map(move |(part, event)| {
        let due = if let Ok(event) = event {
            parts[part].apply(event, &caches, (nth, part))
        } else {
            parts[part].list.failed();
            Vec::new()
        };
        if !is_answered {
            is_answered = all_answered(parts.iter().map(|part| part.list));
            if is_answered {
                caches.kind_answered(kind);
                lists.answered(nth);
            } else if parts[part].list == ListState::Refused {
                lists.failed();
            }
        }
        stream::iter(due)
    });
    triggers.boxed()
}

/// The state of one watch, for one namespace or for all.
struct Part {
    namespace: Option<String>,
    list: ListState,
    /// The objects of a list in progress.
    listed: BTreeMap<Key, Kept>,
}

impl Part {
    fn new(namespace: Option<String>) -> Self {
        Self { namespace, list: ListState::Asked, listed: BTreeMap::new() }
    }

    /// Processes one event and returns the resources to reconcile because of it. Waiting reconciles are notified last.
    fn apply<K: ShardedObject, C: ChildObject>(
        &mut self,
        event: Event<Lenient<C>>,
        caches: &Caches,
        (nth, part): (usize, usize),
    ) -> Vec<ObjectRef<K>> {
        let kind = nth + 1;
        let Some(objects) = caches.objects::<C>(kind) else { return Vec::new() };
        let owners = |child: &ObjectMeta| owners(caches.kind(), child);
        match event {
            Event::Init => {
                self.list = ListState::Asked;
                self.listed.clear();
                caches.kinds[kind].positions[part].list_begins();
                Vec::new()
            }
            Event::InitApply(object) => {
                let (key, version) = (key(object.meta()), object.meta().resource_version.clone());
                if caches.keeps(object.meta()) {
                    self.listed.insert(key, Kept::new(object));
                }
                caches.kinds[kind].positions[part].listed(version.as_deref());
                Vec::new()
            }
            Event::InitDone => {
                let is_first = !caches.kinds[kind].positions[part].is_listed();
                self.list = ListState::Complete;
                let changed = objects.replace(self.namespace.as_deref(), std::mem::take(&mut self.listed));
                caches.kind_list_ends(kind, part);
                // After the first list, all resources are reconciled anyway.
                if is_first { Vec::new() } else { changed.iter().flat_map(owners).collect() }
            }
            Event::Apply(object) => {
                let mut due = owners(object.meta());
                let (key, version) = (key(object.meta()), object.meta().resource_version.clone());
                // A former owner has to create the child again.
                let keeps = caches.keeps(object.meta());
                let before = if keeps { objects.put(key, Kept::new(object)) } else { objects.remove(&key) };
                if let Some(before) = before {
                    let before = owners(&before.metadata());
                    due.extend(before.into_iter().filter(|owner| !due.contains(owner)).collect::<Vec<_>>());
                }
                caches.kind_shown(kind, part, version.as_deref());
                due
            }
            Event::Delete(object) => {
                let meta = object.meta();
                objects.remove(&key(meta));
                caches.kind_shown(kind, part, meta.resource_version.as_deref());
                owners(meta)
            }
        }
    }
}

fn key(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// The resources of this kind that own the child. Those of a namespaced kind are in the namespace of the child.
fn owners<K: ShardedObject>(kind: &KindType, child: &ObjectMeta) -> Vec<ObjectRef<K>> {
    let owners = child.owner_references.iter().flatten().filter(|owner| is_owner(kind, owner));
    let namespace = child.namespace.as_deref();
    owners.map(|owner| kind.reference(namespace, &owner.name)).collect()
}

#[cfg(test)]
mod tests;
