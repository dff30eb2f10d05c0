//! RoleBindings and ClusterRoleBindings. They bind nobody here: every client may do everything.

use serde_json::{Value, json};

use super::default;
use crate::fault::Fault;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn set_defaults(binding: &mut Value) {
    if binding["roleRef"]["apiGroup"].as_str().unwrap_or_default().is_empty() {
        binding["roleRef"]["apiGroup"] = json!(GROUP);
    }
    for subject in binding.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if subject["kind"] == "User" || subject["kind"] == "Group" {
            default(subject, "apiGroup", json!(GROUP));
        }
    }
}

pub(super) fn validate(binding: &Value, old: Option<&Value>) -> Vec<Fault> {
    let role = &binding["roleRef"];
    let changed = old.filter(|old| old["roleRef"] != *role);
    // As Go writes a type without JSON names.
    let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
    changed.map(|_| Fault::invalid("roleRef", &shown, "field is immutable")).into_iter().collect()
}
