//! Secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::default;
use crate::fault::Fault;

/// `stringData` is written only: it becomes part of `data`.
pub(super) fn set_defaults(secret: &mut Value) {
    default(secret, "type", json!("Opaque"));
    let Some(text) = secret.as_object_mut().and_then(|fields| fields.remove("stringData")) else { return };
    for (key, value) in text.as_object().into_iter().flatten() {
        secret["data"][key] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

pub(super) fn validate(secret: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(old) = old else { return faults };
    if old["type"] != secret["type"] {
        faults.push(Fault::invalid("type", &secret["type"], "field is immutable"));
    }
    if old["immutable"] == true {
        const FIXED: &str = "field is immutable when `immutable` is set";
        if secret["immutable"] != true {
            faults.push(Fault::forbidden("immutable", FIXED));
        }
        if old["data"] != secret["data"] {
            faults.push(Fault::forbidden("data", FIXED));
        }
    }
    faults
}
