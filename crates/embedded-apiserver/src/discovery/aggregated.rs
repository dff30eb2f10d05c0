//! Aggregated discovery (`apidiscovery.k8s.io/v2`): all resources of all groups in one answer.

use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::resource::ResourceType;

pub(super) const MEDIA: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Whether the first form that is asked for is this one.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').next().unwrap_or_default();
    let mut parameters = first.split(';').map(str::trim);
    parameters.next() == Some("application/json")
        && first.contains("as=APIGroupDiscoveryList")
        && first.contains("v=v2")
        && !first.contains("v=v2beta1")
}

/// The core group, or all others in order.
pub(super) fn groups(catalogue: &Catalogue, core: bool) -> Value {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in catalogue.all().filter(|kind| kind.group.is_empty() == core) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version.as_str()) => {}
            Some((_, versions)) => versions.push(&kind.version),
            None => groups.push((&kind.group, vec![&kind.version])),
        }
    }
    let items: Vec<Value> = groups
        .into_iter()
        .map(|(group, versions)| {
            let metadata = if core { json!({}) } else { json!({"name": group}) };
            let versions: Vec<Value> =
                versions.into_iter().map(|version| of_version(catalogue, group, version)).collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn of_version(catalogue: &Catalogue, group: &str, version: &str) -> Value {
    let kinds = catalogue.all().filter(|kind| kind.group == group && kind.version == version);
    let resources: Vec<Value> = kinds.map(|kind| resource(kind)).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn resource(kind: &ResourceType) -> Value {
    let of_kind = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let mut resource = json!({
        "resource": kind.plural, "responseKind": of_kind, "singularResource": kind.singular,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" }, "verbs": super::VERBS,
    });
    for (field, words) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
        if !words.is_empty() {
            resource[field] = json!(words);
        }
    }
    let mut subresources = Vec::new();
    if kind.status {
        subresources.push(json!({
            "subresource": "status", "responseKind": of_kind, "verbs": super::SUBRESOURCE_VERBS,
        }));
    }
    if kind.scale.is_some() {
        let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
        subresources.push(json!({
            "subresource": "scale", "responseKind": scale, "verbs": super::SUBRESOURCE_VERBS,
        }));
    }
    if !subresources.is_empty() {
        resource["subresources"] = json!(subresources);
    }
    resource
}
