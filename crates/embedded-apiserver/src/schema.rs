//! What an object of a kind looks like: of built-in kinds as kube-apiserver's OpenAPI documents tell it, of custom
//! resources as their definition does.

mod builtin;
mod custom;
mod decode;
mod defaults;
mod format;
mod parse;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use builtin::{builtin, definition, object_meta};
pub(crate) use custom::parse_custom;
pub(crate) use decode::{decode, tidy_metadata};
pub(crate) use defaults::apply_defaults;
pub(crate) use validate::{is_unchanged, validate};

/// One value's schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) shape: Shape,
    pub(crate) default: Option<Value>,
    pub(crate) nullable: bool,
    /// What Go's encoder does with the zero value of this field.
    pub(crate) zero: Zero,
    pub(crate) checks: Checks,
    /// `x-kubernetes-patch-strategy: merge`, and the key.
    pub(crate) patch_merge_key: Option<String>,
    pub(crate) patch_merge: bool,
}

/// What a value is.
#[derive(Clone, Debug, Default)]
pub(crate) enum Shape {
    /// Nothing is known; kept as it is.
    #[default]
    Any,
    Scalar(Scalar),
    Object(Object),
    List(List),
}

/// The types of scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// A struct, or a map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) properties: BTreeMap<String, Arc<Schema>>,
    /// The schema of every other key, where the object is a map.
    pub(crate) additional: Option<Arc<Schema>>,
    /// Unknown fields stay.
    pub(crate) preserve: bool,
    /// Owned as one.
    pub(crate) atomic: bool,
    pub(crate) required: Vec<String>,
}

/// A list.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) items: Arc<Schema>,
    pub(crate) relation: Relation,
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Not at all: the list is one value.
    Atomic,
    /// By themselves.
    Set,
    /// By these fields.
    Map(Vec<String>),
}

/// Go's zero values on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zero {
    /// A pointer: written as it is.
    #[default]
    Kept,
    /// `omitempty` on a plain value.
    Omitted,
    /// A time, or a list, without `omitempty`: null stands for zero.
    Null,
}

/// Limits on a value of a custom resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) pattern: Option<(String, regex::Regex)>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) format: Option<String>,
}

impl Schema {
    /// The schema of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Arc<Schema>> {
        match &self.shape {
            Shape::Object(object) => object.properties.get(name).or(object.additional.as_ref()),
            Shape::Any | Shape::Scalar(_) | Shape::List(_) => None,
        }
    }

    /// Whether the name is one of the struct's fields, not a key of a map.
    pub(crate) fn has_named_field(&self, name: &str) -> bool {
        matches!(&self.shape, Shape::Object(object) if object.properties.contains_key(name))
    }
}
