//! Defaults of custom resources, as their schemas write them.

use serde_json::Value;

use super::{Schema, Shape};

/// Fills in what is missing. A null where none is allowed makes way for the default.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(fields)) => {
            for (name, child) in &object.properties {
                if name == "metadata" {
                    continue;
                }
                let missing = fields.get(name).is_none_or(|value| value.is_null() && !child.nullable);
                match &child.default {
                    Some(default) if missing => {
                        fields.insert(name.clone(), default.clone());
                    }
                    None if missing && fields.get(name).is_some_and(Value::is_null) => {
                        fields.remove(name);
                    }
                    _ => {}
                }
            }
            for (name, field) in fields.iter_mut().filter(|(name, _)| *name != "metadata") {
                if let Some(child) = schema.field(name) {
                    apply_defaults(child, field);
                }
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            for item in items {
                apply_defaults(&list.items, item);
            }
        }
        _ => {}
    }
}
