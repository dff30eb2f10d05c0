//! Laying an applied configuration over what is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::element::Element;
use crate::schema::{List, Relation, Schema, Shape};

/// `live` with everything that `applied` sets.
pub(super) fn merge(schema: &Schema, live: Value, applied: &Value) -> Value {
    match (&schema.shape, live, applied) {
        (Shape::Object(object), _, _) if object.atomic => applied.clone(),
        (Shape::Object(_) | Shape::Any, Value::Object(live), Value::Object(applied)) => {
            Value::Object(merge_objects(schema, live, applied))
        }
        (Shape::List(list), Value::Array(live), Value::Array(applied))
            if list.relation != Relation::Atomic =>
        {
            Value::Array(merge_lists(list, &live, applied))
        }
        _ => applied.clone(),
    }
}

fn merge_objects(
    schema: &Schema,
    mut live: Map<String, Value>,
    applied: &Map<String, Value>,
) -> Map<String, Value> {
    let unknown = Schema::default();
    for (name, value) in applied {
        match live.get_mut(name) {
            Some(before) => {
                let inner = schema.field(name).map_or(&unknown, AsRef::as_ref);
                *before = merge(inner, before.take(), value);
            }
            None => {
                live.insert(name.clone(), value.clone());
            }
        }
    }
    live
}

/// In the order that structured-merge-diff gives: the items applied keep their own, those that are only live stay where they
/// were among them.
fn merge_lists(list: &List, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let elements =
        |items: &[Value]| items.iter().map(|item| Element::of_item(list, item)).collect::<Vec<_>>();
    let (left, right) = (elements(live), elements(applied));
    let in_left: BTreeMap<&Element, &Value> = left.iter().zip(live).collect();
    let in_right: BTreeMap<&Element, &Value> = right.iter().zip(applied).collect();
    let mut shared: VecDeque<&Element> =
        right.iter().filter(|element| in_left.contains_key(element)).collect();
    let mut merged_right = BTreeSet::new();
    let mut out = Vec::new();
    let both = |element: &Element| match (in_left.get(element), in_right.get(element)) {
        (Some(left), Some(right)) => merge(&list.items, (*left).clone(), right),
        (Some(one), None) | (None, Some(one)) => (*one).clone(),
        (None, None) => Value::Null,
    };
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if l < left.len() && r < right.len() {
            if left[l] == right[r] {
                merged_right.insert(&left[l]);
                out.push(both(&left[l]));
                (l, r) = (l + 1, r + 1);
                shared.pop_front();
                continue;
            }
            if in_right.contains_key(&left[l]) && shared.front().is_some_and(|next| **next != left[l]) {
                l += 1;
                continue;
            }
        }
        if l < left.len() {
            if !in_right.contains_key(&left[l]) {
                out.push(live[l].clone());
                l += 1;
                continue;
            }
            if merged_right.contains(&left[l]) {
                l += 1;
            }
        }
        if r < right.len() {
            merged_right.insert(&right[r]);
            out.push(both(&right[r]));
            if shared.front().is_some_and(|next| **next == right[r]) {
                shared.pop_front();
            }
            r += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::schema::object_meta;
    use super::*;
    use serde_json::json;

    #[test]
    fn finalizers_are_a_set_in_the_order_applied() {
        let live = json!({"finalizers": ["x", "a", "b"]});
        let applied = json!({"finalizers": ["b", "a", "c"]});
        let merged = merge(&object_meta(), live, &applied);
        assert_eq!(merged["finalizers"], json!(["x", "b", "a", "c"]));
    }
}
