//! [`OwnedResource`]: the requirements on types of children.

use std::fmt::Debug;

use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};

use crate::kind_type::KindScope;

/// A type whose objects a resource can own as children. It is known at compile time. Implemented for every such type.
///
/// Children are kept as JSON, so what the type reads it also has to write (`#[serde(skip_serializing)]` loses a field).
///
/// The children of a namespaced resource are in its namespace. Those of a cluster-scoped resource may be in any namespace, or in none.
pub trait OwnedResource:
    Resource<DynamicType = (), Scope: KindScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<C> OwnedResource for C where
    C: Resource<DynamicType = (), Scope: KindScope>
        + Clone
        + Debug
        + Serialize
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
