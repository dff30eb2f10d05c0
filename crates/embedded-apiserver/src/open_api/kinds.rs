//! Which kinds a document has, by its paths.

use std::collections::BTreeMap;

use kube::core::Version;
use serde_json::Value;

/// A kind whose objects can be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) namespaced: bool,
    pub(super) status: bool,
    pub(super) scale: bool,
}

/// All of them, each in one version, by group and kind.
pub(super) fn published(document: &Value) -> Vec<Published> {
    let mut kinds = BTreeMap::<(String, String), Published>::new();
    let Some(paths) = document["paths"].as_object() else { return Vec::new() };
    for (path, item) in paths {
        let Some(found) = of_path(path, item) else { continue };
        let found = Published {
            status: paths.contains_key(&format!("{path}/{{name}}/status")),
            scale: paths.contains_key(&format!("{path}/{{name}}/scale")),
            ..found
        };
        let key = (found.group.clone(), found.kind.clone());
        let is_better = |known: &Published| priority(&found.version) > priority(&known.version);
        if kinds.get(&key).is_none_or(is_better) {
            kinds.insert(key, found);
        }
    }
    kinds.into_values().collect()
}

fn priority(version: &str) -> impl Ord {
    Version::parse(version).priority()
}

/// The kind whose objects a POST to this path creates.
fn of_path(path: &str, item: &Value) -> Option<Published> {
    let kind = &item["post"]["x-kubernetes-group-version-kind"];
    let text = |field: &str| kind[field].as_str().map(str::to_owned);
    let (group, version, kind) = (text("group")?, text("version")?, text("kind")?);
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let (plural, namespaced) = match parts[..] {
        ["apis", of, at, plural] if of == group && at == version => (plural, false),
        ["apis", of, at, "namespaces", "{namespace}", plural] if of == group && at == version => {
            (plural, true)
        }
        // The core group has no definitions, and anything longer is a subresource.
        _ => return None,
    };
    let plural = plural.to_owned();
    Some(Published { group, version, kind, plural, namespaced, status: false, scale: false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_comes_once_in_its_best_version_with_its_subresources() {
        let post = |version: &str, kind: &str| json!({"post": {"x-kubernetes-group-version-kind": {"group": "a.io", "version": version, "kind": kind}}});
        let document = json!({"paths": {
            "/api/v1/namespaces/{namespace}/pods": {"post": {"x-kubernetes-group-version-kind": {"group": "", "version": "v1", "kind": "Pod"}}},
            "/apis/a.io/v1/namespaces/{namespace}/sites": post("v1", "Site"),
            "/apis/a.io/v1beta2/namespaces/{namespace}/sites": post("v1beta2", "Site"),
            "/apis/a.io/v1/namespaces/{namespace}/sites/{name}/status": {"patch": {}},
            "/apis/a.io/v1/sites": {"get": {}},
            "/apis/a.io/v1alpha1/tenants": post("v1alpha1", "Tenant"),
        }});
        let found = published(&document);
        let named: Vec<_> = found
            .iter()
            .map(|kind| {
                (&*kind.kind, &*kind.version, &*kind.plural, kind.namespaced, kind.status, kind.scale)
            })
            .collect();
        let expected = [
            ("Site", "v1", "sites", true, true, false),
            ("Tenant", "v1alpha1", "tenants", false, false, false),
        ];
        assert_eq!(named, expected);
    }
}
