//! Which resources the server knows: built-in ones, and what CustomResourceDefinitions add.

mod custom;

use std::sync::Arc;

use super::kinds::event_schema;
use super::resource::{NameRule, ResourceType, Traits};
use super::schema::{Schema, builtin, definition};

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
        Self { types: builtins().into_iter().map(Arc::new).collect() }
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

fn builtins() -> Vec<ResourceType> {
    let with_spec = Traits { generation: true, ..Traits::default() };
    let free = Traits { unconditional_update: true, ..Traits::default() };
    vec![
        ResourceType {
            namespaced: false,
            short_names: vec!["ns".into()],
            status: true,
            traits: Traits { fields: &["status.phase"], name: NameRule::Label, ..free },
            ..kind("", "v1", "namespaces", "Namespace", builtin("core.v1.Namespace"))
        },
        ResourceType {
            short_names: vec!["cm".into()],
            traits: free,
            ..kind("", "v1", "configmaps", "ConfigMap", builtin("core.v1.ConfigMap"))
        },
        ResourceType {
            short_names: vec!["ev".into()],
            traits: Traits { create_on_update: true, fields: EVENT_FIELDS, ..free },
            ..kind("", "v1", "events", "Event", builtin("core.v1.Event"))
        },
        ResourceType {
            short_names: vec!["po".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { unconditional_update: true, fields: POD_FIELDS, ..with_spec },
            ..kind("", "v1", "pods", "Pod", builtin("core.v1.Pod"))
        },
        ResourceType {
            short_names: vec!["svc".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { create_on_update: true, name: NameRule::Label, ..free },
            ..kind("", "v1", "services", "Service", builtin("core.v1.Service"))
        },
        ResourceType {
            short_names: vec!["crd".into(), "crds".into()],
            namespaced: false,
            status: true,
            categories: vec!["api-extensions".into()],
            traits: with_spec,
            ..kind(
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
                "CustomResourceDefinition",
                definition(),
            )
        },
        ResourceType {
            short_names: vec!["sts".into()],
            categories: vec!["all".into()],
            status: true,
            scale: Some(custom::scale_paths(".spec.replicas", ".status.replicas", None)),
            traits: Traits { unconditional_update: true, ..with_spec },
            ..kind("apps", "v1", "statefulsets", "StatefulSet", builtin("apps.v1.StatefulSet"))
        },
        ResourceType {
            traits: Traits { create_on_update: true, ..Traits::default() },
            ..kind("coordination.k8s.io", "v1", "leases", "Lease", builtin("coordination.v1.Lease"))
        },
        ResourceType {
            short_names: vec!["ev".into()],
            traits: Traits { create_on_update: true, fields: NEW_EVENT_FIELDS, ..free },
            storage: "/events".into(),
            shown: Some(Arc::new(event_schema(&builtin("core.v1.Event")))),
            ..kind("events.k8s.io", "v1", "events", "Event", builtin("core.v1.Event"))
        },
        ResourceType {
            short_names: vec!["pdb".into()],
            status: true,
            traits: with_spec,
            ..kind(
                "policy",
                "v1",
                "poddisruptionbudgets",
                "PodDisruptionBudget",
                builtin("policy.v1.PodDisruptionBudget"),
            )
        },
    ]
}

const POD_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

const NEW_EVENT_FIELDS: &[&str] = &[
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

fn kind(group: &str, version: &str, plural: &str, kind: &str, schema: Arc<Schema>) -> ResourceType {
    ResourceType {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        kind: kind.into(),
        list_kind: format!("{kind}List"),
        namespaced: true,
        short_names: Vec::new(),
        categories: Vec::new(),
        status: false,
        scale: None,
        storage: format!("{group}/{plural}").into(),
        schema,
        shown: None,
        traits: Traits::default(),
        custom: None,
    }
}
