//! `metadata.managedFields`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::set::FieldSet;

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

/// One who owns fields. Different operations and subresources make different managers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) operation: Operation,
    pub(crate) name: String,
    pub(crate) subresource: String,
    /// The version in which an update was made; an applier is the same in each.
    pub(crate) api_version: String,
}

/// What a manager owns, and since when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owned {
    pub(crate) fields: FieldSet,
    pub(crate) api_version: String,
    pub(crate) time: Option<String>,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Managers(pub(crate) BTreeMap<Manager, Owned>);

impl Managers {
    /// Reads them from an object.
    pub(crate) fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        Self(entries.map(decode).collect())
    }

    /// As an object shows them; `None` where there are none.
    pub(crate) fn encode(&self) -> Option<Value> {
        if self.0.is_empty() {
            return None;
        }
        let mut entries: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        entries.sort_by(|(a, x), (b, y)| {
            (a.operation, &x.time, &a.name, &x.api_version, &a.subresource).cmp(&(
                b.operation,
                &y.time,
                &b.name,
                &y.api_version,
                &b.subresource,
            ))
        });
        Some(entries.into_iter().map(|(manager, owned)| encode(manager, owned)).collect())
    }
}

fn decode(entry: &Value) -> (Manager, Owned) {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let operation = if entry["operation"] == "Apply" { Operation::Apply } else { Operation::Update };
    let api_version = text("apiVersion");
    let manager = Manager {
        operation,
        name: text("manager"),
        subresource: text("subresource"),
        api_version: if operation == Operation::Apply { String::new() } else { api_version.clone() },
    };
    let time = entry["time"].as_str().map(str::to_owned);
    (manager, Owned { fields: FieldSet::decode(&entry["fieldsV1"]), api_version, time })
}

fn encode(manager: &Manager, owned: &Owned) -> Value {
    let mut entry = json!({
        "manager": manager.name,
        "operation": match manager.operation { Operation::Apply => "Apply", Operation::Update => "Update" },
        "apiVersion": owned.api_version,
        "fieldsType": "FieldsV1",
    });
    // Not within `json!`, which would copy it.
    entry["fieldsV1"] = owned.fields.encode();
    if let Some(time) = &owned.time {
        entry["time"] = json!(time);
    }
    if !manager.subresource.is_empty() {
        entry["subresource"] = json!(manager.subresource);
    }
    entry
}
