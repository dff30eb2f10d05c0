//! A child of a resource, by where it is, and an object of somebody else under the name of one.

use bytes::Bytes;
use http::{Method, Request};
use memcached_operator::crd::DOMAIN;
use serde_json::{Value, json};

/// The kinds of children: group, path of their collection, plural.
pub(super) const KINDS: [(&str, &str, &str); 3] = [
    ("", "/api/v1/namespaces/default/services", "services"),
    ("policy", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", "poddisruptionbudgets"),
    ("apps", "/apis/apps/v1/namespaces/default/statefulsets", "statefulsets"),
];

/// A child, by where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) group: &'static str,
    pub(super) collection: &'static str,
    pub(super) plural: &'static str,
    pub(super) name: String,
}

impl Child {
    /// The child that a request reads or writes as a whole.
    pub(super) fn named_by(request: &Request<Bytes>) -> Option<Self> {
        let path = request.uri().path();
        KINDS.iter().find_map(|(group, collection, plural)| {
            let name = path.strip_prefix(collection)?.strip_prefix('/')?;
            (!name.is_empty() && !name.contains('/')).then(|| Self {
                group,
                collection,
                plural,
                name: name.to_owned(),
            })
        })
    }

    /// The child of this kind that an object is.
    pub(super) fn of_kind(plural: &str, object: &Value) -> Option<Self> {
        let name = object["metadata"]["name"].as_str()?.to_owned();
        let (group, collection, plural) = KINDS.into_iter().find(|(.., known)| *known == plural)?;
        Some(Self { group, collection, plural, name })
    }

    /// The kind of children that a list or a watch asks for, by its plural; in one namespace or in all.
    pub(super) fn kind_asked_for(request: &Request<Bytes>) -> Option<&'static str> {
        let path = request.uri().path();
        let kind = KINDS.iter().find(|(_, collection, plural)| {
            path == *collection
                || path == collection.replace("/namespaces/default", "") && path.ends_with(plural)
        });
        kind.filter(|_| request.method() == Method::GET).map(|(_, _, plural)| *plural)
    }

    pub(super) fn uri(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }
}

/// Whether nothing says that it belongs to a Memcached: no owner, and not the operator's labels.
pub(super) fn is_foreign(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let owned = metadata["ownerReferences"].as_array().is_some_and(|all| {
        let group = format!("{DOMAIN}/");
        all.iter()
            .any(|owner| owner["apiVersion"].as_str().is_some_and(|version| version.starts_with(&group)))
    });
    !owned && metadata["labels"]["app.kubernetes.io/managed-by"] != "memcached-operator"
}

/// An object of somebody else under the name of a child.
pub(super) fn foreign_object(child: &Child) -> Value {
    let labels = json!({"app": "another"});
    let metadata = json!({"name": child.name, "labels": labels});
    let selector = json!({"matchLabels": labels});
    match child.plural {
        "services" => json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"clusterIP": "None", "selector": labels, "ports": [{"port": 1}]},
        }),
        "poddisruptionbudgets" => json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata,
            "spec": {"maxUnavailable": 1, "selector": selector},
        }),
        _ => json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata,
            "spec": {"serviceName": child.name, "selector": selector, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "other", "image": "example.com/other:1"}]},
            }},
        }),
    }
}
