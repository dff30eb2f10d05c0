//! [`Owner`]: the resource that children belong to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

/// The resource that children belong to, as far as applying them needs it.
#[derive(Clone, Debug)]
pub struct Owner {
    pub(super) reference: OwnerReference,
    pub(super) namespace: Option<String>,
    pub(super) generation: Option<i64>,
    pub(super) asks_for_more: Option<bool>,
}

impl Owner {
    /// This resource, with itself as the controller of its children.
    pub fn of<K: Resource<DynamicType = ()>>(resource: &K) -> Self {
        Self::of_with(resource, &())
    }

    /// The same for a resource of a kind that is not known at compile time.
    pub fn of_with<K: Resource>(resource: &K, kind: &K::DynamicType) -> Self {
        let meta = resource.meta();
        Self {
            reference: OwnerReference {
                api_version: K::api_version(kind).into_owned(),
                kind: K::kind(kind).into_owned(),
                name: meta.name.clone().unwrap_or_default(),
                uid: meta.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            },
            namespace: meta.namespace.clone(),
            generation: meta.generation,
            asks_for_more: None,
        }
    }

    /// Whether the spec of the resource asks for something that has not been applied yet. Then a child is written at once, even if others keep changing
    /// it. If this is not set, that is so when the generation has changed since the child was last restored.
    #[must_use]
    pub fn asks_for_more(self, asks_for_more: bool) -> Self {
        Self { asks_for_more: Some(asks_for_more), ..self }
    }

    /// For a child in this namespace, if the resource is in none: its children may be in any.
    pub(crate) fn with_children_in(self, namespace: Option<String>) -> Self {
        Self { namespace: self.namespace.or(namespace), ..self }
    }

    /// The namespace of the children.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The controller of an object.
    pub(super) fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
        meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
    }

    /// Whether this reference names the resource, or an earlier one of its name. Other API groups may have a kind of the same name. The version within the group does
    /// not matter.
    pub(super) fn is_named_by(&self, reference: &OwnerReference) -> bool {
        let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
        group(&reference.api_version) == group(&self.reference.api_version)
            && reference.kind == self.reference.kind
            && reference.name == self.reference.name
    }
}
