//! What changed between two objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::element::Element;
use super::set::FieldSet;
use crate::schema::{List, Relation, Schema, Shape};

/// The paths that one object has and the other has not, or has otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

/// Compares what was with what is, without `managedFields`, which nobody owns.
pub(crate) fn compare(schema: &Schema, old: &Value, new: &Value) -> Comparison {
    let mut walk = Walk { path: Vec::new(), comparison: Comparison::default() };
    walk.node(schema, Some(old), Some(new));
    walk.comparison
}

impl Comparison {
    pub(crate) fn changed(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    /// Leaves out everything at or below these paths.
    pub(crate) fn without(&self, paths: &FieldSet) -> Self {
        Self {
            added: self.added.without_below(paths),
            modified: self.modified.without_below(paths),
            removed: self.removed.without_below(paths),
        }
    }
}

struct Walk {
    path: Vec<Element>,
    comparison: Comparison,
}

impl Walk {
    fn node(&mut self, schema: &Schema, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let is_leaf = match &schema.shape {
            Shape::Object(object) if object.atomic => true,
            Shape::Object(_) => self.object(schema, old, new),
            Shape::List(List { relation: Relation::Atomic, .. }) | Shape::Scalar(_) => true,
            Shape::List(list) => self.list(list, old, new),
            Shape::Any if is_object(old) || is_object(new) => self.object(schema, old, new),
            Shape::Any => true,
        };
        let comparison = &mut self.comparison;
        match (old, new) {
            (None, Some(_)) => comparison.added.insert(&self.path),
            (Some(_), None) => comparison.removed.insert(&self.path),
            (Some(old), Some(new)) if is_leaf && old != new => comparison.modified.insert(&self.path),
            _ => {}
        }
    }

    /// Whether it has to be taken for a leaf, as it is empty on both sides.
    fn object(&mut self, schema: &Schema, old: Option<&Value>, new: Option<&Value>) -> bool {
        let none = Map::new();
        let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
        if old.is_empty() && new.is_empty() {
            return true;
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            if name == "managedFields"
                && matches!(&self.path[..], [Element::Field(top)] if &**top == "metadata")
            {
                continue;
            }
            self.path.push(Element::field(name));
            let known = schema.field(name);
            let inner = Schema::default();
            self.node(known.map_or(&inner, AsRef::as_ref), old.get(name), new.get(name));
            self.path.pop();
        }
        false
    }

    fn list(&mut self, list: &List, old: Option<&Value>, new: Option<&Value>) -> bool {
        let (old, new) = (items(list, old), items(list, new));
        if old.is_empty() && new.is_empty() {
            return true;
        }
        let elements: BTreeSet<&Element> = old.keys().chain(new.keys()).collect();
        for element in elements {
            self.path.push(element.clone());
            self.node(&list.items, old.get(element).copied(), new.get(element).copied());
            self.path.pop();
        }
        false
    }
}

fn items<'a>(list: &List, value: Option<&'a Value>) -> BTreeMap<Element, &'a Value> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.map(|item| (Element::of_item(list, item), item)).collect()
}

fn is_object(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_object)
}
