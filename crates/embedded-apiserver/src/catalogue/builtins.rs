//! The built-in resources.

use std::sync::Arc;

use super::custom;
use crate::kinds::event_schema;
use crate::resource::{NameRule, ResourceType, Traits};
use crate::schema::{Schema, builtin, definition};

/// The traits of kinds whose spec has generations.
const WITH_SPEC: Traits = Traits {
    generation: true,
    create_on_update: false,
    unconditional_update: false,
    fields: &[],
    name: NameRule::Subdomain,
};

/// The traits of kinds without generations that a PUT may overwrite.
const FREE: Traits = Traits { generation: false, unconditional_update: true, ..WITH_SPEC };

/// In the order of discovery.
pub(super) fn all() -> Vec<ResourceType> {
    [core(), workloads(), others()].concat()
}

fn core() -> Vec<ResourceType> {
    vec![
        ResourceType {
            namespaced: false,
            short_names: vec!["ns".into()],
            status: true,
            traits: Traits { fields: &["status.phase"], name: NameRule::Label, ..FREE },
            ..kind("", "v1", "namespaces", "Namespace", builtin("core.v1.Namespace"))
        },
        ResourceType {
            short_names: vec!["cm".into()],
            traits: FREE,
            ..kind("", "v1", "configmaps", "ConfigMap", builtin("core.v1.ConfigMap"))
        },
        ResourceType {
            short_names: vec!["ev".into()],
            traits: Traits { create_on_update: true, fields: EVENT_FIELDS, ..FREE },
            ..kind("", "v1", "events", "Event", builtin("core.v1.Event"))
        },
        ResourceType {
            short_names: vec!["po".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { unconditional_update: true, fields: POD_FIELDS, ..WITH_SPEC },
            ..kind("", "v1", "pods", "Pod", builtin("core.v1.Pod"))
        },
        ResourceType {
            traits: Traits { fields: &["type"], ..FREE },
            ..kind("", "v1", "secrets", "Secret", builtin("core.v1.Secret"))
        },
        ResourceType {
            short_names: vec!["sa".into()],
            traits: FREE,
            ..kind("", "v1", "serviceaccounts", "ServiceAccount", builtin("core.v1.ServiceAccount"))
        },
        ResourceType {
            short_names: vec!["svc".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { create_on_update: true, name: NameRule::Label, ..FREE },
            ..kind("", "v1", "services", "Service", builtin("core.v1.Service"))
        },
    ]
}

/// Of the groups `apps` and `batch`.
fn workloads() -> Vec<ResourceType> {
    vec![
        ResourceType {
            short_names: vec!["ds".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind("apps", "v1", "daemonsets", "DaemonSet", builtin("apps.v1.DaemonSet"))
        },
        ResourceType {
            short_names: vec!["deploy".into()],
            categories: vec!["all".into()],
            status: true,
            scale: Some(custom::scale_paths(".spec.replicas", ".status.replicas", None)),
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind("apps", "v1", "deployments", "Deployment", builtin("apps.v1.Deployment"))
        },
        ResourceType {
            short_names: vec!["rs".into()],
            categories: vec!["all".into()],
            status: true,
            scale: Some(custom::scale_paths(".spec.replicas", ".status.replicas", None)),
            traits: Traits { unconditional_update: true, fields: &["status.replicas"], ..WITH_SPEC },
            ..kind("apps", "v1", "replicasets", "ReplicaSet", builtin("apps.v1.ReplicaSet"))
        },
        ResourceType {
            short_names: vec!["sts".into()],
            categories: vec!["all".into()],
            status: true,
            scale: Some(custom::scale_paths(".spec.replicas", ".status.replicas", None)),
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind("apps", "v1", "statefulsets", "StatefulSet", builtin("apps.v1.StatefulSet"))
        },
        ResourceType {
            short_names: vec!["cj".into()],
            categories: vec!["all".into()],
            status: true,
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind("batch", "v1", "cronjobs", "CronJob", builtin("batch.v1.CronJob"))
        },
        ResourceType {
            categories: vec!["all".into()],
            status: true,
            traits: Traits { unconditional_update: true, fields: &["status.successful"], ..WITH_SPEC },
            ..kind("batch", "v1", "jobs", "Job", builtin("batch.v1.Job"))
        },
    ]
}

fn others() -> Vec<ResourceType> {
    vec![
        ResourceType {
            short_names: vec!["crd".into(), "crds".into()],
            namespaced: false,
            status: true,
            categories: vec!["api-extensions".into()],
            traits: WITH_SPEC,
            ..kind(
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
                "CustomResourceDefinition",
                definition(),
            )
        },
        ResourceType {
            traits: Traits { create_on_update: true, ..Traits::default() },
            ..kind("coordination.k8s.io", "v1", "leases", "Lease", builtin("coordination.v1.Lease"))
        },
        ResourceType {
            short_names: vec!["ev".into()],
            traits: Traits { create_on_update: true, fields: NEW_EVENT_FIELDS, ..FREE },
            storage: "/events".into(),
            shown: Some(Arc::new(event_schema(&builtin("core.v1.Event")))),
            ..kind("events.k8s.io", "v1", "events", "Event", builtin("core.v1.Event"))
        },
        ResourceType {
            short_names: vec!["ing".into()],
            status: true,
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind("networking.k8s.io", "v1", "ingresses", "Ingress", builtin("networking.v1.Ingress"))
        },
        ResourceType {
            short_names: vec!["netpol".into()],
            traits: Traits { unconditional_update: true, ..WITH_SPEC },
            ..kind(
                "networking.k8s.io",
                "v1",
                "networkpolicies",
                "NetworkPolicy",
                builtin("networking.v1.NetworkPolicy"),
            )
        },
        ResourceType {
            short_names: vec!["pdb".into()],
            status: true,
            traits: WITH_SPEC,
            ..kind(
                "policy",
                "v1",
                "poddisruptionbudgets",
                "PodDisruptionBudget",
                builtin("policy.v1.PodDisruptionBudget"),
            )
        },
        ResourceType { namespaced: false, ..rbac("clusterroles", "ClusterRole") },
        ResourceType { namespaced: false, ..rbac("clusterrolebindings", "ClusterRoleBinding") },
        rbac("roles", "Role"),
        rbac("rolebindings", "RoleBinding"),
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

fn rbac(plural: &str, name: &str) -> ResourceType {
    let traits = Traits {
        create_on_update: true,
        unconditional_update: true,
        name: NameRule::PathSegment,
        ..Traits::default()
    };
    let schema = builtin(&format!("rbac.v1.{name}"));
    ResourceType { traits, ..kind("rbac.authorization.k8s.io", "v1", plural, name, schema) }
}
