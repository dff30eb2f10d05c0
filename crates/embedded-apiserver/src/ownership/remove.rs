//! Taking fields and items out of an object.

use serde_json::{Map, Value};

use super::element::Element;
use super::set::FieldSet;
use crate::schema::{Relation, Schema, Shape};

/// What becomes of a field in which nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// It is null, and so still a member of the set of the object's fields.
    IsNull,
    /// It goes, as the types drop what is null.
    IsGone,
}

/// The value without these paths.
pub(super) fn remove(schema: &Schema, value: &Value, paths: &FieldSet, emptied: Emptied) -> Value {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(_)) if object.atomic => Value::Null,
        (Shape::Object(_) | Shape::Any, Value::Object(fields)) if !fields.is_empty() => {
            let mut kept = Map::new();
            for (name, field) in fields {
                let element = Element::field(name);
                if paths.members.contains(&element) {
                    continue;
                }
                let inner = Schema::default();
                let inner = schema.field(name).map_or(&inner, AsRef::as_ref);
                let field = paths
                    .child(&element)
                    .map_or_else(|| field.clone(), |below| remove(inner, field, below, emptied));
                if !field.is_null() || emptied == Emptied::IsNull {
                    kept.insert(name.clone(), field);
                }
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        (Shape::List(list), Value::Array(items)) if list.relation != Relation::Atomic => {
            let kept: Vec<Value> = items
                .iter()
                .filter_map(|item| {
                    let element = Element::of_item(list, item);
                    if paths.members.contains(&element) {
                        return None;
                    }
                    let below = paths.child(&element);
                    Some(
                        below.map_or_else(|| item.clone(), |below| remove(&list.items, item, below, emptied)),
                    )
                })
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        (Shape::List(_), Value::Array(_)) => Value::Null,
        _ => value.clone(),
    }
}
