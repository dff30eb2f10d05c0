//! The namespaces that an operator watches.

use std::{collections::BTreeSet, fmt::Debug};

use futures::{
    FutureExt,
    future::select_ok,
    stream::{BoxStream, StreamExt, select_all},
};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource, api::ListParams, core::PartialObjectMeta};
use serde::de::DeserializeOwned;

/// The watches for the configured namespaces: one for each, or a single one for all if none is configured.
///
/// A request is for one namespace or for all; there is none for several. So rights in some namespaces
/// only require a watch for each of them.
#[derive(Clone, Debug)]
pub(crate) struct Scope(Vec<String>);

impl Scope {
    pub(crate) fn of(namespaces: &BTreeSet<String>) -> Self {
        Self(namespaces.iter().cloned().collect())
    }

    /// The number of watches per type.
    pub(crate) fn watches(&self) -> usize {
        self.0.len().max(1)
    }

    /// The watch for this namespace.
    pub(crate) fn watch_of(&self, namespace: &str) -> Option<usize> {
        if self.0.is_empty() { Some(0) } else { self.0.iter().position(|named| named == namespace) }
    }

    /// One `Api` for each watch.
    pub(crate) fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        if self.0.is_empty() {
            return vec![Api::all(client.clone())];
        }
        self.0.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    }
}

impl Scope {
    /// Whether this type can be listed, in any of the namespaces.
    pub(crate) async fn can_list<K>(&self, client: &Client, params: &ListParams) -> bool
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let apis = self.apis::<PartialObjectMeta<K>>(client);
        let lists = apis.iter().map(|api| api.list(params).map(|listed| listed.map(drop)).boxed());
        select_ok(lists).await.is_ok()
    }
}

/// The events of all watches, as they come. A single one stays as it is, without a set of futures around it.
pub(crate) fn merged<T: 'static>(mut watches: Vec<BoxStream<'static, T>>) -> BoxStream<'static, T> {
    match watches.len() {
        1 => watches.remove(0),
        _ => select_all(watches).boxed(),
    }
}
