//! Events, which two API groups show in two ways.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::schema::{Object, Schema, Shape};

/// Names in `events.k8s.io`, and the same in the core group.
const RENAMED: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// The schema of an event in `events.k8s.io`, made of that in the core group.
pub(crate) fn shown_schema(core: &Schema) -> Schema {
    let Shape::Object(object) = &core.shape else { return Schema::default() };
    let named = |name: &String| {
        let renamed = RENAMED.iter().find(|(_, core)| core == name).map(|(new, _)| (*new).to_owned());
        renamed.unwrap_or_else(|| name.clone())
    };
    let properties =
        object.properties.iter().map(|(name, schema)| (named(name), Arc::clone(schema))).collect();
    Schema { shape: Shape::Object(Object { properties, ..Object::default() }), ..Schema::default() }
}

pub(super) fn to_core(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        for (new, core) in RENAMED {
            if let Some(value) = fields.remove(new) {
                fields.insert(core.into(), value);
            }
        }
        fields.remove("apiVersion");
    }
    event
}

pub(super) fn from_core(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        for (new, core) in RENAMED {
            if let Some(value) = fields.remove(core) {
                fields.insert(new.into(), value);
            }
        }
        for absent in ["reportingController", "reportingInstance"] {
            if fields.get(absent).is_some_and(|value| value == "") {
                fields.remove(absent);
            }
        }
    }
    event
}

pub(super) fn validate(kind: &ResourceType, event: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let namespace = event["metadata"]["namespace"].as_str().unwrap_or_default();
    let about = event["involvedObject"]["namespace"].as_str().unwrap_or_default();
    if namespace != about && !(about.is_empty() && namespace == "default") {
        faults.push(Fault::invalid(
            "involvedObject.namespace",
            &event["involvedObject"]["namespace"],
            "does not match event.namespace",
        ));
    }
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    if kind.group == "events.k8s.io" && old.is_none() {
        if event["eventTime"].is_null() {
            faults.push(Fault::required("eventTime", ""));
        }
        for (field, shown) in [
            ("reportingComponent", "reportingController"),
            ("reportingInstance", "reportingInstance"),
            ("action", "action"),
            ("reason", "reason"),
        ] {
            if text(field).is_empty() {
                faults.push(Fault::required(shown, ""));
            }
        }
        if !["Normal", "Warning"].contains(&text("type")) {
            faults.push(Fault::invalid("type", &json!(text("type")), "has invalid value: "));
        }
    }
    if kind.group == "events.k8s.io" && text("message").len() > 1024 {
        faults.push(Fault::invalid("message", &json!(""), "can have at most 1024 characters"));
    }
    faults
}
