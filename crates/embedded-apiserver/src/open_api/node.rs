//! Structural schemas, as definitions have them, from those of a document, which refer to each other.

use serde_json::{Map, Value, json};

/// What is taken over of a schema as it is.
const WORDS: [&str; 20] = [
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "nullable",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
];

/// The schemas of a document, v2 or v3.
pub(super) struct Schemas<'a> {
    schemas: &'a Map<String, Value>,
    prefix: &'static str,
}

impl<'a> Schemas<'a> {
    pub(super) fn of(document: &'a Value) -> Option<Self> {
        let v3 = document.pointer("/components/schemas").map(|schemas| (schemas, "#/components/schemas/"));
        let (schemas, prefix) = v3.or_else(|| Some((document.get("definitions")?, "#/definitions/")))?;
        Some(Self { schemas: schemas.as_object()?, prefix })
    }

    /// The structural schema of a kind.
    pub(super) fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<Value> {
        let is_it =
            |named: &Value| named["group"] == group && named["version"] == version && named["kind"] == kind;
        let names = |schema: &Value| {
            schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|all| all.iter().any(is_it))
        };
        let (name, schema) = self.schemas.iter().find(|(_, schema)| names(schema))?;
        let mut schema = self.structural(schema, &mut vec![name.as_str()]);
        schema["type"] = json!("object");
        // These are the API server's.
        for field in ["apiVersion", "kind"] {
            schema["properties"][field] = json!({"type": "string"});
        }
        schema["properties"]["metadata"] = json!({"type": "object"});
        Some(schema)
    }

    /// `within` are the schemas that this one is a part of.
    fn structural(&self, schema: &Value, within: &mut Vec<&'a str>) -> Value {
        let reference = schema["$ref"].as_str().or_else(|| match schema["allOf"].as_array()?.as_slice() {
            // v3 cannot have anything beside a reference, such as a default, without this.
            [one] => one["$ref"].as_str(),
            _ => None,
        });
        if let Some(name) = reference.and_then(|reference| reference.strip_prefix(self.prefix)) {
            let mut resolved = self.resolved(name, within);
            if let Some(default) = schema.get("default") {
                resolved["default"] = default.clone();
            }
            return resolved;
        }
        if schema["format"] == "int-or-string" || schema["x-kubernetes-int-or-string"] == true {
            return int_or_string();
        }
        let mut structural = Map::new();
        for word in WORDS {
            if let Some(value) = schema.get(word) {
                structural.insert(word.to_owned(), value.clone());
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let properties =
                properties.iter().map(|(name, child)| (name.clone(), self.structural(child, within)));
            structural.insert("properties".to_owned(), Value::Object(properties.collect()));
        }
        for word in ["items", "additionalProperties"] {
            if let Some(child) = schema.get(word).filter(|child| child.is_object()) {
                structural.insert(word.to_owned(), self.structural(child, within));
            }
        }
        if !structural.contains_key("type") {
            return anything();
        }
        // An object of which no field is known would lose all of them.
        let says_fields = ["properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"];
        if structural["type"] == "object" && !says_fields.iter().any(|word| structural.contains_key(*word)) {
            structural.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
        }
        Value::Object(structural)
    }

    fn resolved(&self, name: &str, within: &mut Vec<&'a str>) -> Value {
        let last = name.rsplit('.').next().unwrap_or_default();
        if ["Quantity", "IntOrString"].contains(&last) && name.starts_with("io.k8s.apimachinery.") {
            return int_or_string();
        }
        let Some((name, schema)) = self.schemas.get_key_value(name) else { return anything() };
        if within.contains(&name.as_str()) {
            return anything();
        }
        within.push(name);
        let resolved = self.structural(schema, within);
        within.pop();
        resolved
    }
}

fn int_or_string() -> Value {
    json!({"x-kubernetes-int-or-string": true})
}

fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec_of(document: &Value) -> Value {
        let schemas = Schemas::of(document).unwrap();
        schemas.of_kind("a.io", "v1", "Site").unwrap()["properties"]["spec"].clone()
    }

    fn site(prefix: &str, spec: &Value) -> Value {
        let named = json!([{"group": "a.io", "version": "v1", "kind": "Site"}]);
        json!({
            "io.a.v1.Site": {
                "type": "object", "description": "A site.", "x-kubernetes-group-version-kind": named,
                "properties": {"spec": spec, "metadata": {"$ref": format!("{prefix}ObjectMeta")}},
            },
            "io.a.v1.Page": {"type": "object", "required": ["path"], "properties": {
                "path": {"type": "string", "minLength": 1},
                "pages": {"type": "array", "items": {"$ref": format!("{prefix}io.a.v1.Page")}},
            }},
            "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
        })
    }

    #[test]
    fn references_are_resolved_in_both_versions_and_a_circle_is_cut_off() {
        let page = json!({"type": "object", "required": ["path"], "default": {"path": "/"}, "properties": {
            "path": {"type": "string", "minLength": 1},
            "pages": {"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": true}},
        }});
        let expected = json!({"type": "object", "properties": {"page": page}});
        let (v2, v3) = ("#/definitions/", "#/components/schemas/");
        let spec = json!({"type": "object", "properties": {"page": {"$ref": format!("{v2}io.a.v1.Page"), "default": {"path": "/"}}}});
        assert_eq!(spec_of(&json!({"definitions": site(v2, &spec)})), expected);
        let of_all = json!([{"$ref": format!("{v3}io.a.v1.Page")}]);
        let spec =
            json!({"type": "object", "properties": {"page": {"allOf": of_all, "default": {"path": "/"}}}});
        assert_eq!(spec_of(&json!({"components": {"schemas": site(v3, &spec)}})), expected);
    }

    /// Each is missed by itself: what is left out here is not refused, defaulted or merged as the kind itself would.
    #[test]
    fn each_word_of_a_structural_schema_is_taken_over_as_it_is() {
        let prefix = "#/components/schemas/";
        let words = json!({
            "format": "date-time", "enum": ["a", "b"], "pattern": "^[a-z]+$", "minLength": 1, "maxLength": 9, "minimum": 1.5, "maximum": 9.5,
            "minItems": 1, "maxItems": 9, "minProperties": 1, "maxProperties": 9, "nullable": true, "default": "a", "required": ["name"],
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "x-kubernetes-map-type": "atomic",
            "x-kubernetes-validations": [{"rule": "self != ''"}], "x-kubernetes-preserve-unknown-fields": true,
        });
        for (word, value) in words.as_object().unwrap() {
            let mut schema = json!({"type": "string", "description": "left out"});
            schema[word] = value.clone();
            let spec = json!({"type": "object", "properties": {"field": schema}});
            let taken = spec_of(&json!({"components": {"schemas": site(prefix, &spec)}}));
            let mut expected = json!({"type": "string"});
            expected[word] = value.clone();
            assert_eq!(taken["properties"]["field"], expected, "{word}");
        }
        assert_eq!(words.as_object().unwrap().len() + 1, WORDS.len(), "and `type`");
        let either = json!({"type": "object", "properties": {"port": {"x-kubernetes-int-or-string": true}}});
        assert_eq!(spec_of(&json!({"components": {"schemas": site(prefix, &either)}})), either);
    }

    #[test]
    fn what_a_structural_schema_cannot_say_is_said_otherwise() {
        let prefix = "#/components/schemas/";
        let quantity = format!("{prefix}io.k8s.apimachinery.pkg.api.resource.Quantity");
        let spec = json!({"type": "object", "properties": {
            "size": {"allOf": [{"$ref": quantity}]},
            "port": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
            "free": {"type": "object"},
            "any": {"description": "anything"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        }});
        let (either, any) = (
            json!({"x-kubernetes-int-or-string": true}),
            json!({"x-kubernetes-preserve-unknown-fields": true}),
        );
        assert_eq!(
            spec_of(&json!({"components": {"schemas": site(prefix, &spec)}}))["properties"],
            json!({
                "size": either, "port": either, "any": any,
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            })
        );
    }
}
