//! Ingresses and NetworkPolicies.

use serde_json::{Value, json};

use super::default;
use crate::fault::Fault;

pub(super) fn prepare_new_ingress(ingress: &mut Value) {
    ingress["status"] = json!({"loadBalancer": {}});
}

pub(super) fn validate_ingress(ingress: &Value) -> Vec<Fault> {
    let spec = &ingress["spec"];
    let rules = spec["rules"].as_array().cloned().unwrap_or_default();
    let mut faults = Vec::new();
    if rules.is_empty() && spec["defaultBackend"].is_null() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        faults.push(Fault::invalid("spec", &spec["rules"], detail));
    }
    for (rule_at, rule) in rules.iter().enumerate() {
        for (path_at, path) in rule["http"]["paths"].as_array().into_iter().flatten().enumerate() {
            if path["pathType"].is_null() {
                let field = format!("spec.rules[{rule_at}].http.paths[{path_at}].pathType");
                faults.push(Fault::required(field, "pathType must be specified"));
            }
        }
    }
    faults
}

pub(super) fn set_policy_defaults(policy: &mut Value) {
    let spec = &mut policy["spec"];
    let limits_egress = spec["egress"].as_array().is_some_and(|rules| !rules.is_empty());
    let types = if limits_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    default(spec, "policyTypes", types);
    for direction in ["ingress", "egress"] {
        for rule in spec.get_mut(direction).and_then(Value::as_array_mut).into_iter().flatten() {
            for port in rule.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                default(port, "protocol", json!("TCP"));
            }
        }
    }
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}
