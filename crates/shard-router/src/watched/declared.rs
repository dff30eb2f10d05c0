//! What a kind declares: a watched type, and which resources use an object of it.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use kube::runtime::{
    reflector::{ObjectRef, Store},
    watcher::{self, ListSemantic},
};

use super::{
    objects::Change,
    registry::{Registry, WatchEntry},
    shared::{Cache, selected},
};
use crate::{
    kind_type::KindType,
    observability::progress::WatchedProgress,
    owned_resource::{OwnedResource, resource},
    sharded::ShardedObject,
};

/// Which resources of a shard use an object.
type Mapper<K, W> = Arc<dyn Fn(&W, &Store<K>) -> Vec<ObjectRef<K>> + Send + Sync>;

/// A declaration, until the replica starts.
pub(crate) struct WatchedType<K: ShardedObject> {
    /// As `plural.group`.
    pub(crate) resource: String,
    attach: Attach<K>,
}

type Attach<K> = Box<dyn FnOnce(&Registry) -> Arc<dyn Dependency<K>> + Send>;

/// A watched type, as a kind that depends on it sees it.
pub(crate) trait Dependency<K: ShardedObject>: Send + Sync {
    /// As `plural.group`.
    fn resource(&self) -> &str;

    /// Which of its lists and watches keep failing.
    fn progress(&self) -> &Arc<WatchedProgress>;

    /// Whether it can be listed in any of the namespaces.
    fn can_list(&self) -> BoxFuture<'_, bool>;

    /// Takes part in the watch, for one hold of one shard of this kind.
    fn open(&self, of: KindType) -> Opened<K>;
}

/// A watch that runs, and what it makes due.
pub(crate) struct Opened<K: ShardedObject> {
    pub(crate) cache: Arc<dyn Cache>,
    /// What is watched.
    pub(crate) kind: KindType,
    /// The `SharedWatch`.
    pub(crate) objects: Arc<dyn Any + Send + Sync>,
    /// The resources to reconcile, from the store of the shard. Changes are noted from now on, not only once this is called.
    pub(crate) triggers: Triggers<K>,
}

/// The resources of a store that are due.
pub(crate) type Triggers<K> = Box<dyn FnOnce(Store<K>) -> BoxStream<'static, ObjectRef<K>> + Send>;

impl<K: ShardedObject> WatchedType<K> {
    pub(crate) fn new<W: OwnedResource, I: IntoIterator<Item = ObjectRef<K>>>(
        config: watcher::Config,
        mapper: impl Fn(&W, &Store<K>) -> I + Send + Sync + 'static,
    ) -> Self {
        // An older list could be older than the acquisition.
        let config = config.list_semantic(ListSemantic::MostRecent);
        let mapper: Mapper<K, W> = Arc::new(move |object, store| mapper(object, store).into_iter().collect());
        let attach = move |registry: &Registry| -> Arc<dyn Dependency<K>> {
            Arc::new(Declared { resource: resource::<W>(), entry: registry.entry::<W>(&config), mapper })
        };
        Self { resource: resource::<W>(), attach: Box::new(attach) }
    }

    pub(crate) fn attach(self, registry: &Registry) -> Arc<dyn Dependency<K>> {
        (self.attach)(registry)
    }
}

struct Declared<K: ShardedObject, W> {
    resource: String,
    entry: Arc<WatchEntry<W>>,
    mapper: Mapper<K, W>,
}

impl<K: ShardedObject, W: OwnedResource> Dependency<K> for Declared<K, W> {
    fn resource(&self) -> &str {
        &self.resource
    }

    fn progress(&self) -> &Arc<WatchedProgress> {
        &self.entry.progress
    }

    fn can_list(&self) -> BoxFuture<'_, bool> {
        let params = selected(&self.entry.config).limit(1);
        async move { self.entry.scope.can_list::<W>(&KindType::of::<W>(), &self.entry.client, &params).await }
            .boxed()
    }

    fn open(&self, of: KindType) -> Opened<K> {
        let watch = self.entry.open();
        let mut changes = watch.subscribe();
        let (mapper, resource) = (self.mapper.clone(), self.resource.clone());
        let triggers = move |store: Store<K>| {
            let changes = stream::poll_fn(move |cx| {
                let change = changes.poll_recv(cx);
                // The shard holds the watch, so it can only have panicked.
                change.map(|change| Some(change.expect("the watch runs for as long as the shard is held")))
            });
            changes
                .flat_map(move |change| stream::iter(due(&of, &mapper, &change, &store, &resource)))
                .boxed()
        };
        Opened {
            cache: watch.clone(),
            kind: KindType::of::<W>(),
            objects: watch,
            triggers: Box::new(triggers),
        }
    }
}

/// The resources that use the object as it is, or used it as it was: one that no longer uses it has to notice that, too.
fn due<K: ShardedObject, W>(
    of: &KindType,
    mapper: &Mapper<K, W>,
    change: &Change<W>,
    store: &Store<K>,
    resource: &str,
) -> Vec<ObjectRef<K>> {
    let states = change.after.iter().chain(&change.before);
    let map = || states.flat_map(|state| mapper(state, store)).collect::<Vec<_>>();
    // A shard must not end because of one object, and no resource may be missed.
    let mut due = catch_unwind(AssertUnwindSafe(map)).unwrap_or_else(|_| {
        tracing::error!(
            "the mapper of `watches` has panicked for a change of {resource}; all resources of the shard are reconciled"
        );
        let reference = |object: &Arc<K>| {
            let meta = object.meta();
            of.reference(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default())
        };
        store.state().iter().map(reference).collect()
    });
    let mut seen = HashSet::new();
    due.retain(|reference| seen.insert(reference.clone()));
    due
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::{reflector::store::Writer, watcher::Event};

    use super::*;
    use crate::testing::{Gadget, GadgetSpec};

    /// A map that says which gadget uses it.
    fn map(user: &str) -> Arc<ConfigMap> {
        let data = [("user".to_owned(), user.to_owned())].into();
        Arc::new(ConfigMap { data: Some(data), ..ConfigMap::default() })
    }

    fn names(due: Vec<ObjectRef<Gadget>>) -> Vec<String> {
        due.into_iter().map(|reference| reference.name).collect()
    }

    #[test]
    fn one_that_no_longer_uses_an_object_is_due_as_well_and_each_once() {
        let store = Writer::<Gadget>::default().as_reader();
        let mapper: Mapper<Gadget, ConfigMap> = Arc::new(|map, _| {
            map.data.iter().flat_map(|data| data.values()).map(|user| ObjectRef::new(user)).collect()
        });
        let due = |before, after| {
            names(due(&KindType::of::<Gadget>(), &mapper, &Change { before, after }, &store, "configmaps"))
        };
        assert_eq!(due(Some(map("a")), Some(map("b"))), ["b", "a"]);
        assert_eq!(due(Some(map("a")), Some(map("a"))), ["a"]);
        assert_eq!(due(Some(map("a")), None), ["a"]);
        assert_eq!(due(None, Some(map("a"))), ["a"]);
        assert!(due(None, None).is_empty(), "it did not decode, and does not");
    }

    #[test]
    fn a_mapper_that_panics_makes_all_resources_due() {
        let mut writer = Writer::<Gadget>::default();
        writer.apply_watcher_event(&Event::Apply(Gadget::new("a", GadgetSpec::default())));
        let mapper: Mapper<Gadget, ConfigMap> = Arc::new(|_, _| panic!("a mistake of the user"));
        let change = Change { before: None, after: Some(map("b")) };
        assert_eq!(
            names(due(&KindType::of::<Gadget>(), &mapper, &change, &writer.as_reader(), "configmaps")),
            ["a"]
        );
    }
}
