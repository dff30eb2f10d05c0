//! Rules for Leases.

use serde_json::Value;

use crate::fault::Fault;

pub(super) fn validate(lease: &Value) -> Vec<Fault> {
    let spec = &lease["spec"];
    let mut faults = Vec::new();
    if spec["leaseDurationSeconds"].as_i64().is_some_and(|seconds| seconds <= 0) {
        faults.push(Fault::invalid(
            "spec.leaseDurationSeconds",
            &spec["leaseDurationSeconds"],
            "must be greater than 0",
        ));
    }
    if spec["leaseTransitions"].as_i64().is_some_and(|transitions| transitions < 0) {
        faults.push(Fault::invalid(
            "spec.leaseTransitions",
            &spec["leaseTransitions"],
            "must be greater than or equal to 0",
        ));
    }
    faults
}

/// Drops what belongs to coordinated leader election, a feature that is off unless a cluster turns it on.
pub(super) fn drop_disabled(lease: &mut Value) {
    if let Some(spec) = lease.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("preferredHolder");
        spec.remove("strategy");
    }
}
