//! What a kind is called in requests, and whether its objects are in namespaces.

use std::{fmt::Debug, hash::Hash};

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::{
    Resource,
    core::{ApiResource, ObjectMeta, discovery::Scope as ApiScope},
    runtime::reflector::ObjectRef,
};

/// The scope of a kind that is known at compile time: [`NamespaceResourceScope`] or [`ClusterResourceScope`].
pub trait KindScope: sealed::Sealed {
    #[doc(hidden)]
    fn scope() -> ApiScope;
}

impl KindScope for NamespaceResourceScope {
    fn scope() -> ApiScope {
        ApiScope::Namespaced
    }
}

impl KindScope for ClusterResourceScope {
    fn scope() -> ApiScope {
        ApiScope::Cluster
    }
}

/// What kube has to be told of a kind: nothing of one that is known at compile time, its [`ApiResource`] of another.
pub trait TypeInformation:
    sealed::Sealed + Clone + Debug + Eq + Hash + Unpin + Send + Sync + 'static
{
    #[doc(hidden)]
    fn of(declared: &ApiResource) -> Self;
}

impl TypeInformation for () {
    fn of(_: &ApiResource) -> Self {}
}

impl TypeInformation for ApiResource {
    fn of(declared: &ApiResource) -> Self {
        declared.clone()
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for k8s_openapi::NamespaceResourceScope {}
    impl Sealed for k8s_openapi::ClusterResourceScope {}
    impl Sealed for () {}
    impl Sealed for kube::core::ApiResource {}
}

/// A kind as it was declared, whatever the Rust type of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindType {
    pub(crate) api: ApiResource,
    scope: ApiScope,
}

impl KindType {
    /// A kind that is known at compile time.
    pub(crate) fn of<K>() -> Self
    where
        K: Resource<DynamicType = (), Scope: KindScope>,
    {
        Self { api: ApiResource::erase::<K>(&()), scope: <K::Scope as KindScope>::scope() }
    }

    /// A kind that is known only at run time.
    pub(crate) fn dynamic(api: ApiResource, scope: ApiScope) -> Self {
        Self { api, scope }
    }

    /// As it was declared.
    pub(crate) fn into_declared(self) -> (ApiResource, ApiScope) {
        (self.api, self.scope)
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        self.scope == ApiScope::Namespaced
    }

    /// As `Kind.group`; the group of the core API is left out.
    pub(crate) fn name(&self) -> String {
        of_group(&self.api.kind, &self.api.group)
    }

    /// As `plural.group`, as a request names it; the group of the core API is left out.
    pub(crate) fn resource(&self) -> String {
        of_group(&self.api.plural, &self.api.group)
    }

    /// What kube has to be told of it.
    pub(crate) fn information<T: TypeInformation>(&self) -> T {
        T::of(&self.api)
    }

    /// What is wrong if the kind was declared with another scope than this object of it has. That is possible only for a kind that is not known at compile time.
    pub(crate) fn misdeclared(&self, object: &ObjectMeta) -> Option<String> {
        let (declared, found) = match (self.is_namespaced(), &object.namespace) {
            (true, None) => ("Scope::Namespaced", "Scope::Cluster"),
            (false, Some(_)) => ("Scope::Cluster", "Scope::Namespaced"),
            _ => return None,
        };
        Some(format!(
            "{} was declared with {declared}, but its objects have {found}, so changes of their children are missed; declare it with {found}, or as discovery says",
            self.name()
        ))
    }

    /// A reference to an object of this kind. The namespace is ignored if the kind is cluster-scoped.
    ///
    /// kube-runtime's store finds a cluster-scoped object by a reference with a namespace too, but its queue takes the two for different objects: it would begin
    /// a reconcile beside the one that runs, which would be dropped.
    pub(crate) fn reference<K>(&self, namespace: Option<&str>, name: &str) -> ObjectRef<K>
    where
        K: Resource<DynamicType: TypeInformation>,
    {
        let reference = ObjectRef::new_with(name, self.information());
        match namespace {
            Some(namespace) if self.is_namespaced() => reference.within(namespace),
            _ => reference,
        }
    }
}

fn of_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        core::v1::{ConfigMap, Namespace},
        rbac::v1::ClusterRole,
    };

    use super::*;
    use crate::testing::{Gadget, Tenant};

    #[test]
    fn a_kind_is_named_as_requests_and_the_layout_name_it() {
        let of = |kind: &KindType| (kind.name(), kind.resource(), kind.is_namespaced());
        let named =
            |name: &str, resource: &str, namespaced| (name.to_owned(), resource.to_owned(), namespaced);
        let gadgets = KindType::of::<Gadget>();
        assert_eq!(of(&gadgets), named("Gadget.example.com", "gadgets.example.com", true));
        assert_eq!(of(&KindType::of::<ConfigMap>()), named("ConfigMap", "configmaps", true));
        assert_eq!(of(&KindType::of::<Namespace>()), named("Namespace", "namespaces", false));
        let roles =
            named("ClusterRole.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io", false);
        assert_eq!(of(&KindType::of::<ClusterRole>()), roles);
        let dynamic = KindType::dynamic(gadgets.api.clone(), ApiScope::Namespaced);
        assert_eq!(dynamic, gadgets, "it does not matter how the kind was declared");
    }

    #[test]
    fn another_scope_than_the_declared_one_is_said() {
        let gadgets = KindType::of::<Gadget>().api;
        let namespaced = ObjectMeta { namespace: Some("ns".into()), ..ObjectMeta::default() };
        let declared = |scope| KindType::dynamic(gadgets.clone(), scope);
        assert_eq!(declared(ApiScope::Namespaced).misdeclared(&namespaced), None);
        assert_eq!(declared(ApiScope::Cluster).misdeclared(&ObjectMeta::default()), None);
        for (scope, object, advice) in [
            (ApiScope::Cluster, namespaced, "declare it with Scope::Namespaced"),
            (ApiScope::Namespaced, ObjectMeta::default(), "declare it with Scope::Cluster"),
        ] {
            let sentence = declared(scope).misdeclared(&object).unwrap();
            assert!(sentence.starts_with("Gadget.example.com was declared with"), "{sentence}");
            assert!(sentence.contains(advice), "{sentence}");
        }
    }

    #[test]
    fn an_object_that_is_in_no_namespace_has_one_reference() {
        let (gadgets, tenants) = (KindType::of::<Gadget>(), KindType::of::<Tenant>());
        assert_eq!(tenants.reference::<Tenant>(Some("ns"), "one"), ObjectRef::new("one"));
        assert_eq!(tenants.reference::<Tenant>(None, "one"), ObjectRef::new("one"));
        assert_eq!(gadgets.reference::<Gadget>(Some("ns"), "one"), ObjectRef::new("one").within("ns"));
    }
}
