//! Pods. There is no scheduler and no kubelet: what happens to a Pod is what somebody writes into its status.

use serde_json::{Value, json};

use super::{default, pod_template};

pub(super) fn set_defaults(pod: &mut Value) {
    let spec = &mut pod["spec"];
    pod_template::set_defaults(spec);
    default(spec, "enableServiceLinks", json!(true));
    for container in containers(spec) {
        let limits = container["resources"]["limits"].as_object().cloned().unwrap_or_default();
        for (resource, limit) in limits {
            default(&mut container["resources"]["requests"], &resource, limit);
        }
    }
}

/// What the registry and the default admission plugins add.
pub(super) fn prepare_new(pod: &mut Value) {
    let spec = &mut pod["spec"];
    default(spec, "priority", json!(0));
    default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if tolerations.iter().all(|toleration| toleration["key"] != taint) {
            tolerations.push(json!({
                "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
    spec["tolerations"] = json!(tolerations);
    let class = quality_of_service(spec);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
}

fn containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten()
}

/// How the resources of the containers rank the Pod.
fn quality_of_service(spec: &mut Value) -> &'static str {
    let (mut asks, mut is_fixed) = (false, true);
    for container in containers(spec) {
        let resources = &container["resources"];
        let of = |list: &str, resource: &str| resources[list].get(resource).cloned();
        for resource in ["cpu", "memory"] {
            let (limit, request) = (of("limits", resource), of("requests", resource));
            asks |= limit.is_some() || request.is_some();
            is_fixed &= limit.is_some() && limit == request;
        }
    }
    match (asks, is_fixed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
