//! [`OwnedResource`] and [`ChildObject`]: the requirements on types of children.

use std::fmt::Debug;

use kube::{
    Resource,
    core::{ApiResource, DynamicObject, TypeMeta, discovery::Scope},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::kind_type::{KindScope, TypeInformation};

/// A type whose objects a resource can own as children. It is known at compile time. Implemented for every such type. For another, see
/// [`Controller::owns_dynamic`](crate::Controller::owns_dynamic).
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

/// A type of children, and whether they are in namespaces.
pub(crate) type DeclaredType = (ApiResource, Scope);

/// The Rust type of a child that can be applied: each type that is known at compile time, and [`DynamicObject`]. It cannot be implemented for other types.
pub trait ChildObject:
    Resource<DynamicType: TypeInformation> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    #[doc(hidden)]
    fn kind_of(&self, declared: impl Iterator<Item = DeclaredType>) -> Option<DeclaredType>;
}

impl<C> ChildObject for C
where
    C: Resource<DynamicType: TypeInformation + NamesKind<C>>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    fn kind_of(&self, declared: impl Iterator<Item = DeclaredType>) -> Option<DeclaredType> {
        <C::DynamicType as NamesKind<C>>::kind_of(self, declared)
    }
}

/// How the kind of an object is found out depends on whether it is known at compile time.
#[doc(hidden)]
pub trait NamesKind<C> {
    fn kind_of(object: &C, declared: impl Iterator<Item = DeclaredType>) -> Option<DeclaredType>;
}

impl<C: Resource<DynamicType = (), Scope: KindScope>> NamesKind<C> for () {
    fn kind_of(_: &C, _: impl Iterator<Item = DeclaredType>) -> Option<DeclaredType> {
        Some((ApiResource::erase::<C>(&()), <C::Scope as KindScope>::scope()))
    }
}

/// It says its version and kind, and the declaration says the rest.
impl NamesKind<DynamicObject> for ApiResource {
    fn kind_of(
        object: &DynamicObject,
        mut declared: impl Iterator<Item = DeclaredType>,
    ) -> Option<DeclaredType> {
        let TypeMeta { api_version, kind } = object.types.as_ref()?;
        declared.find(|(known, _)| known.api_version == *api_version && known.kind == *kind)
    }
}

/// As `plural.group`, as a request names it; the group of the core API is left out.
pub(crate) fn resource<C: Resource<DynamicType = ()>>() -> String {
    let (plural, group) = (C::plural(&()), C::group(&()));
    if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") }
}
