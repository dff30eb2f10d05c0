//! Strategic merge patch, which `kubectl apply` and `edit` send for built-in kinds.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::schema::{Schema, Shape};

/// The object with the patch laid over it.
pub(crate) fn patch(schema: &Schema, object: &Value, patch: &Value) -> Result<Value, Refusal> {
    if matches!(schema.shape, Shape::Any) {
        return Err(Refusal::not_supported(
            "strategic merge patches of a kind whose schema is not known here",
        ));
    }
    merge(schema, object, patch)
}

fn merge(schema: &Schema, object: &Value, patch: &Value) -> Result<Value, Refusal> {
    match (object, patch) {
        (Value::Object(fields), Value::Object(patch)) => merge_objects(schema, fields, patch),
        (Value::Null, Value::Object(patch)) => merge_objects(schema, &Map::new(), patch),
        (_, patch) => Ok(patch.clone()),
    }
}

fn merge_objects(
    schema: &Schema,
    fields: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Value, Refusal> {
    match patch.get("$patch").and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => {
            let mut patch = patch.clone();
            patch.remove("$patch");
            return Ok(Value::Object(patch));
        }
        Some(other) => {
            return Err(Refusal::not_supported(&format!("the directive $patch: {other} outside of a list")));
        }
    }
    let mut merged = fields.clone();
    for (name, value) in patch {
        if name == "$patch"
            || name.starts_with("$setElementOrder/")
            || name.starts_with("$deleteFromPrimitiveList/")
        {
            continue;
        }
        if name == "$retainKeys" {
            let kept = value.as_array().cloned().unwrap_or_default();
            merged.retain(|name, _| kept.iter().any(|one| one == name.as_str()));
            continue;
        }
        if value.is_null() {
            merged.remove(name);
            continue;
        }
        let inner = Schema::default();
        let child = schema.field(name).map_or(&inner, AsRef::as_ref);
        let before = merged.get(name).unwrap_or(&Value::Null);
        let value = match value {
            Value::Array(items) => Value::Array(merge_list(child, before, items)?),
            value => merge(child, before, value)?,
        };
        merged.insert(name.clone(), value);
    }
    for (name, gone) in patch {
        let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") else { continue };
        let gone = gone.as_array().cloned().unwrap_or_default();
        if let Some(items) = merged.get_mut(list).and_then(Value::as_array_mut) {
            items.retain(|item| !gone.contains(item));
        }
    }
    Ok(Value::Object(merged))
}

fn merge_list(schema: &Schema, before: &Value, patch: &[Value]) -> Result<Vec<Value>, Refusal> {
    if !schema.patch_merge {
        return Ok(patch.to_vec());
    }
    let Shape::List(list) = &schema.shape else { return Ok(patch.to_vec()) };
    let mut items = before.as_array().cloned().unwrap_or_default();
    let Some(key) = &schema.patch_merge_key else {
        for item in patch {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        return Ok(items);
    };
    for item in patch {
        let at = items.iter().position(|known| known[key] == item[key]);
        match (item["$patch"].as_str(), at) {
            (Some("delete"), Some(at)) => {
                items.remove(at);
            }
            (Some("delete"), None) => {}
            (Some("replace"), _) => {
                return Err(Refusal::not_supported("the directive $patch: replace within a list"));
            }
            (_, Some(at)) => items[at] = merge(&list.items, &items[at], item)?,
            (_, None) => items.push(item.clone()),
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::super::schema::builtin;
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_merged_by_their_key() {
        let schema = builtin("core.v1.Service");
        let service = json!({"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}});
        let change = json!({"spec": {
            "$setElementOrder/ports": [{"port": 1}],
            "ports": [{"port": 1, "name": "c"}, {"port": 2, "$patch": "delete"}],
        }});
        let patched = patch(&schema, &service, &change).unwrap();
        assert_eq!(patched["spec"]["ports"], json!([{"port": 1, "name": "c"}]));
    }
}
