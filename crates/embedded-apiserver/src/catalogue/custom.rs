//! From a CustomResourceDefinition to the resources it defines.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::resource::{Custom, NameRule, ResourceType, ScalePaths, Traits};
use crate::schema::parse_custom;

/// The resource types of a definition, one for each served version, or what in it is not supported.
pub(crate) fn from_definition(definition: &Value) -> Result<Vec<ResourceType>, String> {
    let spec = &definition["spec"];
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    if versions.iter().filter(|version| version["served"] == true).count() > 1 {
        return Err("custom resources with more than one served version".into());
    }
    if spec["conversion"]["strategy"].as_str().is_some_and(|strategy| strategy != "None") {
        return Err("conversion webhooks".into());
    }
    versions.iter().filter(|version| version["served"] == true).map(|version| one(spec, version)).collect()
}

fn one(spec: &Value, version: &Value) -> Result<ResourceType, String> {
    let open_api = version["schema"]["openAPIV3Schema"].clone();
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let kind = text(&names["kind"]);
    let (group, plural) = (text(&spec["group"]), text(&names["plural"]));
    if version.get("selectableFields").is_some() {
        return Err("selectableFields of a custom resource".into());
    }
    let scale = version["subresources"].get("scale").map(|scale| {
        scale_paths(
            scale["specReplicasPath"].as_str().unwrap_or_default(),
            scale["statusReplicasPath"].as_str().unwrap_or_default(),
            scale["labelSelectorPath"].as_str(),
        )
    });
    let schema = parse_custom(&open_api)?;
    Ok(ResourceType {
        version: text(&version["name"]),
        singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
        list_kind: names["listKind"].as_str().map_or_else(|| format!("{kind}List"), str::to_owned),
        namespaced: spec["scope"] == "Namespaced",
        short_names: list(&names["shortNames"]),
        categories: list(&names["categories"]),
        status: version["subresources"].get("status").is_some(),
        scale,
        storage: format!("{group}/{plural}").into(),
        schema: Arc::new(schema),
        shown: None,
        traits: Traits { generation: true, name: NameRule::Subdomain, ..Traits::default() },
        custom: Some(Arc::new(Custom {
            has_rules: open_api.to_string().contains("x-kubernetes-validations"),
            columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
            rules: OnceLock::new(),
            open_api,
        })),
        group,
        plural,
        kind,
    })
}

/// JSON paths of a scale subresource, which are plain field names.
pub(super) fn scale_paths(spec: &str, status: &str, selector: Option<&str>) -> ScalePaths {
    let path = |text: &str| text.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    ScalePaths { spec_replicas: path(spec), status_replicas: path(status), selector: selector.map(path) }
}
