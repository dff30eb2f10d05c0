//! One step of a path.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::schema::{List, Relation};

/// A field of a struct or map, or an item of a list by its keys or by its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    Field(Arc<str>),
    /// The keys of an item, as sorted JSON.
    Key(Arc<str>),
    /// The item itself, as JSON.
    Value(Arc<str>),
}

impl Element {
    /// The field of this name.
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// The item of a list that is not atomic.
    pub(super) fn of_item(list: &List, item: &Value) -> Self {
        match &list.relation {
            Relation::Map(keys) => {
                let mut found = Map::new();
                for key in keys {
                    let default = list.items.field(key).and_then(|schema| schema.default.clone());
                    if let Some(value) = item.get(key).cloned().or(default) {
                        found.insert(key.clone(), value);
                    }
                }
                Self::Key(sorted(&Value::Object(found)).into())
            }
            Relation::Set | Relation::Atomic => Self::Value(sorted(item).into()),
        }
    }

    /// As in `fieldsV1`.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Field(name) => ["f:", name].concat(),
            Self::Key(keys) => ["k:", keys].concat(),
            Self::Value(value) => ["v:", value].concat(),
        }
    }

    /// The reverse; `None` for what this server never writes.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (sort, rest) = text.split_once(':')?;
        let json = || serde_json::from_str::<Value>(rest).ok().map(|value| sorted(&value).into());
        match sort {
            "f" => Some(Self::field(rest)),
            "k" => json().map(Self::Key),
            "v" => json().map(Self::Value),
            _ => None,
        }
    }

    /// As error messages write it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", pairs.join(","))
            }
            Self::Value(value) => format!("[={value}]"),
        }
    }
}

/// JSON with its keys in order, so that equal values are equal texts.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by(|a, b| if a.0 == b.0 { Ordering::Equal } else { a.0.cmp(b.0) });
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), sorted(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
