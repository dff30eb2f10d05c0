//! Services.

use serde_json::{Value, json};

use super::default;
use crate::fault::Fault;

pub(super) fn set_defaults(service: &mut Value) {
    let spec = &mut service["spec"];
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        default(port, "targetPort", number);
    }
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    service["status"] = match service["status"].take() {
        Value::Object(status) if !status.is_empty() => Value::Object(status),
        _ => json!({"loadBalancer": {}}),
    };
}

/// An address for a Service that has one, and the families of IP.
pub(super) fn allocate(service: &mut Value, bits: u128) {
    let spec = &mut service["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    if spec.get("clusterIP").is_none_or(Value::is_null) {
        let host = u16::try_from(bits % 65_000).expect("smaller than 2¹⁶") + 10;
        spec["clusterIP"] = json!(format!("10.96.{}.{}", host >> 8, host & 0xff));
    }
    let address = spec["clusterIP"].clone();
    default(spec, "clusterIPs", json!([address]));
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", json!("SingleStack"));
}

/// A change that leaves out what was allocated keeps it.
pub(super) fn keep_addresses(old: &Value, service: &mut Value) {
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(value) = old["spec"].get(field).cloned() {
            default(&mut service["spec"], field, value);
        }
    }
}

pub(super) fn validate(service: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let spec = &service["spec"];
    let ports = spec["ports"].as_array();
    let headless = spec["clusterIP"] == "None" || spec["type"] == "ExternalName";
    if ports.is_none_or(Vec::is_empty) && !headless {
        faults.push(Fault::required("spec.ports", ""));
    }
    if let Some(old) = old.filter(|old| old["spec"]["clusterIP"] != spec["clusterIP"]) {
        let address = &spec["clusterIP"];
        if old["spec"]["clusterIP"].is_string() && address.is_string() {
            let detail = "may not change once set";
            faults.push(Fault::of(
                "FieldValueInvalid",
                "spec.clusterIPs[0]",
                format!("Invalid value: {}: {detail}", spec["clusterIPs"]),
            ));
        }
    }
    faults
}
