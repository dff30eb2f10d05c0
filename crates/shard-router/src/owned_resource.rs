//! [`OwnedResource`]: the requirements on types of children.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use serde::de::DeserializeOwned;

/// A type whose objects a custom resource can own as children. It is namespaced and known at compile time. Implemented for every such type.
pub trait OwnedResource:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<C> OwnedResource for C where
    C: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// As `plural.group`, as a request names it; the group of the core API is left out.
pub(crate) fn resource<C: Resource<DynamicType = ()>>() -> String {
    let (plural, group) = (C::plural(&()), C::group(&()));
    if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") }
}
