//! Sets of paths.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::element::Element;
use crate::embedded::schema::{List, Relation, Schema, Shape};

/// A set of paths, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// Paths that end here.
    pub(super) members: BTreeSet<Element>,
    /// Paths that go on.
    pub(super) children: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    /// What a configuration sets: its leaves, its list items and its map entries.
    pub(crate) fn of(schema: &Schema, value: &Value) -> Self {
        let mut set = Self::default();
        collect(schema, value, &mut Vec::new(), &mut set);
        set
    }

    /// Top-level fields, as a whole.
    pub(crate) fn of_fields(names: &[&str]) -> Self {
        let members = names.iter().map(|name| Element::Field((*name).to_owned())).collect();
        Self { members, ..Self::default() }
    }

    pub(crate) fn insert(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Whether this path of fields is a member.
    pub(crate) fn has_fields(&self, path: &[String]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(&Element::Field(last.clone())),
            [first, rest @ ..] => {
                self.children.get(&Element::Field(first.clone())).is_some_and(|child| child.has_fields(rest))
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Self::is_empty)
    }

    pub(super) fn child(&self, element: &Element) -> Option<&Self> {
        self.children.get(element).filter(|child| !child.is_empty())
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a.union(b).cloned().collect(), &Self::union, true)
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut result =
            self.combine(other, |a, b| a.difference(b).cloned().collect(), &Self::difference, false);
        result.tidy();
        result
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut result =
            self.combine(other, |a, b| a.intersection(b).cloned().collect(), &Self::intersection, false);
        result.tidy();
        result
    }

    fn combine(
        &self,
        other: &Self,
        members: fn(&BTreeSet<Element>, &BTreeSet<Element>) -> BTreeSet<Element>,
        inner: &dyn Fn(&Self, &Self) -> Self,
        both: bool,
    ) -> Self {
        let empty = Self::default();
        let theirs = other.children.keys().filter(|_| both);
        let keys: BTreeSet<&Element> = self.children.keys().chain(theirs).collect();
        let children = keys.into_iter().map(|key| {
            let (a, b) = (self.children.get(key), other.children.get(key));
            (key.clone(), inner(a.unwrap_or(&empty), b.unwrap_or(&empty)))
        });
        Self { children: children.collect(), members: members(&self.members, &other.members) }
    }

    fn tidy(&mut self) {
        self.children.retain(|_, child| !child.is_empty());
    }

    /// Takes out everything at or below these paths.
    pub(crate) fn without_below(&self, paths: &Self) -> Self {
        let members = self.members.difference(&paths.members).cloned().collect();
        let children = self
            .children
            .iter()
            .filter(|(element, _)| !paths.members.contains(*element))
            .map(|(element, child)| {
                let child =
                    paths.child(element).map_or_else(|| child.clone(), |below| child.without_below(below));
                (element.clone(), child)
            })
            .collect();
        let mut result = Self { members, children };
        result.tidy();
        result
    }

    /// With every struct field on the way to a member as a member too.
    pub(super) fn with_named_fields(&self, schema: Option<&Schema>) -> Self {
        let mut members = self.members.clone();
        let mut children = BTreeMap::new();
        for (element, child) in &self.children {
            let inner = match (element, schema) {
                (Element::Field(name), Some(schema)) => {
                    if schema.has_named_field(name) {
                        members.insert(element.clone());
                    }
                    schema.field(name).map(AsRef::as_ref)
                }
                (Element::Key(_), Some(Schema { shape: Shape::List(list), .. })) => Some(list.items.as_ref()),
                _ => None,
            };
            children.insert(element.clone(), child.with_named_fields(inner));
        }
        Self { members, children }
    }

    /// Every path, as messages write it.
    pub(crate) fn told(&self) -> Vec<String> {
        let mut all: Vec<String> = self.members.iter().map(Element::told).collect();
        for (element, child) in &self.children {
            all.extend(child.told().into_iter().map(|rest| format!("{}{rest}", element.told())));
        }
        all
    }

    /// As `fieldsV1`.
    pub(crate) fn encode(&self) -> Value {
        let mut encoded = Map::new();
        for member in &self.members {
            encoded.insert(member.encode(), json!({}));
        }
        for (element, child) in self.children.iter().filter(|(_, child)| !child.is_empty()) {
            let mut inner = child.encode();
            if self.members.contains(element) {
                inner["."] = json!({});
            }
            encoded.insert(element.encode(), inner);
        }
        Value::Object(encoded)
    }

    /// The reverse of [`encode`](Self::encode).
    pub(crate) fn decode(encoded: &Value) -> Self {
        let mut set = Self::default();
        for (key, inner) in encoded.as_object().into_iter().flatten() {
            let Some(element) = Element::decode(key) else { continue };
            let is_leaf = inner.as_object().is_none_or(Map::is_empty);
            if is_leaf || inner.get(".").is_some() {
                set.members.insert(element.clone());
            }
            let child = Self::decode(inner);
            if !child.is_empty() {
                set.children.insert(element, child);
            }
        }
        set
    }
}

fn collect(schema: &Schema, value: &Value, path: &mut Vec<Element>, set: &mut FieldSet) {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(_)) if object.atomic => set.insert(path),
        (Shape::Object(_) | Shape::Any, Value::Object(fields)) => {
            for (name, field) in fields {
                path.push(Element::Field(name.clone()));
                let known = schema.field(name);
                collect(known.map_or(&Schema::default(), AsRef::as_ref), field, path, set);
                let empty = field.is_null() || field.as_object().is_some_and(Map::is_empty);
                if empty || !schema.has_named_field(name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        (
            Shape::List(list @ List { relation: Relation::Set | Relation::Map(_), .. }),
            Value::Array(items),
        ) => {
            for item in items {
                path.push(Element::of_item(list, item));
                collect(&list.items, item, path, set);
                set.insert(path);
                path.pop();
            }
        }
        (Shape::Object(_), Value::Null) => {}
        _ => set.insert(path),
    }
}
