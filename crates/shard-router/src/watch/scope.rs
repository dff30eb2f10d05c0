//! The namespaces that an operator watches.

use std::{collections::BTreeSet, fmt::Debug};

use futures::{
    FutureExt,
    future::select_ok,
    stream::{BoxStream, StreamExt, select_all},
};
use kube::{Api, Client, Resource, api::ListParams};
use serde::de::DeserializeOwned;

use crate::{
    kind_type::{KindType, TypeInformation},
    watch::lenient::Lenient,
};

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

    /// The watches of this kind. One that is cluster-scoped is in no namespace, so it is listed as a whole.
    pub(crate) fn of_kind(&self, kind: &KindType) -> Self {
        if kind.is_namespaced() { self.clone() } else { Self(Vec::new()) }
    }

    /// The number of watches per type.
    pub(crate) fn watches(&self) -> usize {
        self.0.len().max(1)
    }

    /// The watch for this namespace, or for what is in none.
    pub(crate) fn watch_of(&self, namespace: Option<&str>) -> Option<usize> {
        if self.0.is_empty() {
            return Some(0);
        }
        self.0.iter().position(|named| Some(named.as_str()) == namespace)
    }

    /// One `Api` of this kind for each watch.
    pub(crate) fn apis<K>(&self, kind: &KindType, client: &Client) -> Vec<Api<Lenient<K>>>
    where
        K: Resource<DynamicType: TypeInformation>,
    {
        let Self(namespaces) = self.of_kind(kind);
        if namespaces.is_empty() {
            return vec![Lenient::api(kind, client.clone(), None)];
        }
        namespaces.iter().map(|namespace| Lenient::api(kind, client.clone(), Some(namespace))).collect()
    }
}

impl Scope {
    /// Whether this kind can be listed, in any of the namespaces.
    pub(crate) async fn can_list<K>(&self, kind: &KindType, client: &Client, params: &ListParams) -> bool
    where
        K: Resource<DynamicType: TypeInformation> + Clone + DeserializeOwned + Debug,
    {
        let apis = self.apis::<K>(kind, client);
        let lists = apis.iter().map(|api| api.list_metadata(params).map(|listed| listed.map(drop)).boxed());
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
