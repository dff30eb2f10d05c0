//! What makes an applied configuration no value of its type.

use std::collections::BTreeSet;

use serde_json::Value;

use super::element::Element;
use crate::schema::{List, Relation, Schema, Shape};

/// In the words of structured-merge-diff, the first list in it whose items cannot be told apart.
pub(crate) fn mistyped(schema: &Schema, config: &Value) -> Option<String> {
    search(schema, config, "")
}

fn search(schema: &Schema, value: &Value, path: &str) -> Option<String> {
    match (&schema.shape, value) {
        (Shape::Object(_), Value::Object(fields)) => fields
            .iter()
            .find_map(|(name, field)| search(schema.field(name)?, field, &format!("{path}.{name}"))),
        (Shape::List(list), Value::Array(items)) if list.relation != Relation::Atomic => {
            in_list(list, items, path)
        }
        _ => None,
    }
}

fn in_list(list: &List, items: &[Value], path: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    items.iter().enumerate().find_map(|(index, item)| {
        if let Some(keys) = missing_keys(list, item) {
            return Some(format!(
                "{path}: element {index}: associative list with keys has an element that omits all key fields {} (and doesn't have \
                 default values for any key fields)",
                Value::from(keys.to_vec())
            ));
        }
        let element = Element::of_item(list, item);
        let told = element.told();
        if !seen.insert(element) {
            return Some(format!("{path}: duplicate entries for key {told}"));
        }
        search(&list.items, item, &format!("{path}{told}"))
    })
}

/// The keys of the list, where the item has none of them.
fn missing_keys<'a>(list: &'a List, item: &Value) -> Option<&'a [String]> {
    let Relation::Map(keys) = &list.relation else { return None };
    let is_missing = |key: &String| {
        let default = list.items.field(key).and_then(|schema| schema.default.as_ref());
        item.get(key.as_str()).is_none() && default.is_none()
    };
    keys.iter().all(is_missing).then_some(keys)
}
