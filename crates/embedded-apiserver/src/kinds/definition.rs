//! CustomResourceDefinitions: their defaults, and the status that the real server's controllers give them.

use serde_json::{Value, json};

/// Fills in what a definition may leave out.
pub(super) fn set_defaults(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    if let Some(kind) = spec["names"]["kind"].as_str().map(str::to_owned) {
        for (field, value) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
            if spec["names"].get(field).is_none() {
                spec["names"][field] = json!(value);
            }
        }
    }
    if spec.get("conversion").is_none() {
        spec["conversion"] = json!({"strategy": "None"});
    }
}

/// A new definition's status: nothing is accepted yet.
pub(crate) fn unaccepted(mut definition: Value) -> Value {
    let versions = definition["spec"]["versions"].as_array().cloned().unwrap_or_default();
    let stored: Vec<&Value> = versions
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| &version["name"])
        .collect();
    definition["status"] = json!({
        "acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": stored,
    });
    definition
}

/// The definition with the status that the real server's controllers give it soon after.
pub(crate) fn established(mut definition: Value, now: &str) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
    definition["status"]["conditions"] = json!([
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]);
    definition
}
