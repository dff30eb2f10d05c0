//! The types of children whose changes trigger a reconcile.

#[cfg(feature = "mutants")]
pub(crate) mod clean_up;

use std::collections::BTreeSet;

use k8s_openapi::NamespaceResourceScope;
use kube::{
    Client, Resource,
    core::PartialObjectMeta,
    runtime::{Controller, WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;

use crate::{
    sharded::Sharded,
    watch::{
        backoff::WatchBackoff,
        scope::apis,
        watcher::{Watcher, at_once},
    },
};

/// A type of children.
pub(crate) struct OwnedType<K: Sharded> {
    pub(crate) watch: OwnedWatch<K>,
    #[cfg(feature = "mutants")]
    pub(crate) clean_up: self::clean_up::CleanUp,
}

impl<K: Sharded> OwnedType<K> {
    pub(crate) fn of<C>() -> Self
    where
        C: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        Self {
            watch: owned_watch::<K, C>(),
            #[cfg(feature = "mutants")]
            clean_up: self::clean_up::clean_up::<C>(),
        }
    }
}

/// Adds the watches of one owned type to a shard's controller. Arguments: controller, client, namespaces, selector, what
/// watches, and what gives each watch its backoff.
type OwnedWatch<K> = Box<
    dyn Fn(
            Controller<K>,
            &Client,
            &BTreeSet<String>,
            &str,
            &Watcher,
            &dyn Fn() -> WatchBackoff,
        ) -> Controller<K>
        + Send
        + Sync,
>;

/// The watches of one owned type, one for each namespace: the same buckets as the custom resources, and only the metadata, since
/// what triggers a reconcile is that a child has changed and not how.
///
/// Metadata has the same form for every type, and the API server decodes and encodes it itself. So no child, whatever its
/// spec, can keep the others of its list from being seen.
fn owned_watch<K, C>() -> OwnedWatch<K>
where
    K: Sharded,
    C: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    Box::new(|controller, client, namespaces, selector, watcher, backoff| {
        apis::<PartialObjectMeta<C>>(client, namespaces).into_iter().fold(controller, |controller, api| {
            let config = watcher::Config::default().labels(selector);
            let children = watcher.watch(api, config, backoff(), at_once).touched_objects();
            controller.owns_stream(children)
        })
    })
}
