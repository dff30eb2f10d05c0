//! Which resources the server knows: built-in ones, and what CustomResourceDefinitions add.

mod builtins;
mod custom;

use std::sync::Arc;

use super::resource::ResourceType;

pub(crate) use custom::from_definition;

/// All resources, in the order of discovery.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    types: Vec<Arc<ResourceType>>,
}

/// Groups that every kube-apiserver has: a resource in one of them that is not served here is not a wrong path.
const REAL_GROUPS: [&str; 24] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "metrics.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

impl Catalogue {
    /// The built-in resources.
    pub(crate) fn new() -> Self {
        Self { types: builtins::all().into_iter().map(Arc::new).collect() }
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ResourceType>> {
        let found = self
            .types
            .iter()
            .find(|kind| kind.group == group && kind.version == version && kind.plural == plural);
        found.cloned()
    }

    /// A kind as owner references name it.
    pub(crate) fn by_kind(&self, api_version: &str, kind: &str) -> Option<Arc<ResourceType>> {
        // Owner references hold for every version of a group.
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        self.types.iter().find(|known| known.group == group && known.kind == kind).cloned()
    }

    /// The one under which a storage's objects are shown first.
    pub(crate) fn of_storage(&self, storage: &str) -> Option<Arc<ResourceType>> {
        self.types.iter().find(|kind| &*kind.storage == storage).cloned()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<ResourceType>> {
        self.types.iter()
    }

    /// Whether there is such an API version.
    pub(crate) fn has_version(&self, group: &str, version: &str) -> bool {
        self.types.iter().any(|kind| kind.group == group && kind.version == version)
    }

    /// Whether the real server has this group, whatever is served here.
    pub(crate) fn is_real_group(group: &str) -> bool {
        REAL_GROUPS.contains(&group)
    }

    /// Adds the resources of a definition, in place of what it gave before.
    pub(crate) fn define(&mut self, group: &str, plural: &str, types: Vec<ResourceType>) {
        self.types.retain(|kind| !(kind.custom.is_some() && kind.group == group && kind.plural == plural));
        self.types.extend(types.into_iter().map(Arc::new));
    }
}
