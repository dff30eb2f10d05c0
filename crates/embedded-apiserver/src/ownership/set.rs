//! Sets of paths.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::element::Element;
use crate::schema::{List, Relation, Schema, Shape};

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
        collect(schema, value).0
    }

    /// Top-level fields, as a whole.
    pub(crate) fn of_fields(names: &[&str]) -> Self {
        let members = names.iter().map(|name| Element::field(name)).collect();
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

    /// Takes in what is below an element, and the element itself if it is a member.
    fn add(&mut self, element: Element, below: Self, member: bool) {
        if member {
            self.members.insert(element.clone());
        }
        if !below.is_empty() {
            match self.children.entry(element) {
                Entry::Vacant(place) => {
                    place.insert(below);
                }
                // Twice the same item in a list.
                Entry::Occupied(mut known) => known.get_mut().extend(&below),
            }
        }
    }

    /// Whether this path of fields is a member.
    pub(crate) fn has_fields(&self, path: &[String]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(&Element::field(last)),
            [first, rest @ ..] => {
                self.children.get(&Element::field(first)).is_some_and(|child| child.has_fields(rest))
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
        let mut all = self.clone();
        all.extend(other);
        all
    }

    /// Becomes the union with another set.
    pub(super) fn extend(&mut self, other: &Self) {
        self.members.extend(other.members.iter().cloned());
        for (element, child) in &other.children {
            match self.children.get_mut(element) {
                Some(known) => known.extend(child),
                None => {
                    self.children.insert(element.clone(), child.clone());
                }
            }
        }
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, child)| {
            let left = match other.children.get(element) {
                Some(theirs) => child.difference(theirs),
                None => child.clone(),
            };
            (!left.is_empty()).then(|| (element.clone(), left))
        });
        Self {
            children: children.collect(),
            members: self.members.difference(&other.members).cloned().collect(),
        }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, child)| {
            let common = child.intersection(other.children.get(element)?);
            (!common.is_empty()).then(|| (element.clone(), common))
        });
        Self {
            children: children.collect(),
            members: self.members.intersection(&other.members).cloned().collect(),
        }
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

/// What is set below this value, and whether the value is a member itself.
fn collect(schema: &Schema, value: &Value) -> (FieldSet, bool) {
    let mut set = FieldSet::default();
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(_)) if object.atomic => return (set, true),
        (Shape::Object(_) | Shape::Any, Value::Object(fields)) => {
            for (name, field) in fields {
                let known = schema.field(name);
                let (below, member) = collect(known.map_or(&Schema::default(), AsRef::as_ref), field);
                let empty = field.is_null() || field.as_object().is_some_and(Map::is_empty);
                set.add(Element::field(name), below, member || empty || !schema.has_named_field(name));
            }
        }
        (
            Shape::List(list @ List { relation: Relation::Set | Relation::Map(_), .. }),
            Value::Array(items),
        ) => {
            for item in items {
                set.add(Element::of_item(list, item), collect(&list.items, item).0, true);
            }
        }
        (Shape::Object(_), Value::Null) => {}
        _ => return (set, true),
    }
    (set, false)
}
