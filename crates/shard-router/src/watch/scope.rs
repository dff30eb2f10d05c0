//! Which namespaces an operator looks at.

use std::collections::BTreeSet;

use futures::stream::{BoxStream, StreamExt, select_all};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// What to watch to see the objects of `namespaces`: one API for each, or a single one for all namespaces if none is named.
///
/// There is no request for some namespaces: the API server knows one or all. Rights that are granted in some namespaces
/// only therefore mean a watch for each.
pub(crate) fn apis<K>(client: &Client, namespaces: &BTreeSet<String>) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// The events of all watches, as they come. A single one stays as it is, without a set of futures around it.
pub(crate) fn merged<T: 'static>(mut watches: Vec<BoxStream<'static, T>>) -> BoxStream<'static, T> {
    match watches.len() {
        1 => watches.remove(0),
        _ => select_all(watches).boxed(),
    }
}
