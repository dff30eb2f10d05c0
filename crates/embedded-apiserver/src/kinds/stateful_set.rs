//! StatefulSets.

use serde_json::{Value, json};

use super::{default, pod_template, workload};
use crate::fault::Fault;

pub(super) fn set_defaults(set: &mut Value) {
    let spec = &mut set["spec"];
    default(spec, "podManagementPolicy", json!("OrderedReady"));
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    for field in ["whenDeleted", "whenScaled"] {
        default(&mut spec["persistentVolumeClaimRetentionPolicy"], field, json!("Retain"));
    }
    let strategy = &mut spec["updateStrategy"];
    if strategy.get("type").is_none_or(Value::is_null) {
        strategy["type"] = json!("RollingUpdate");
        default(strategy, "rollingUpdate", json!({}));
    }
    if let Some(rolling) = strategy.get_mut("rollingUpdate") {
        default(rolling, "partition", json!(0));
        default(rolling, "maxUnavailable", json!(1));
    }
    pod_template::set_defaults(&mut spec["template"]["spec"]);
}

pub(super) fn validate(set: &Value, old: Option<&Value>) -> Vec<Fault> {
    const FIXED: [&str; 4] = ["selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"];
    let mut faults = Vec::new();
    let spec = &set["spec"];
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        faults.push(Fault::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    faults.extend(workload::selects_no_pods(spec));
    for field in FIXED {
        if old.is_some_and(|old| old["spec"][field] != spec[field]) {
            faults.push(Fault::invalid(format!("spec.{field}"), &spec[field], "field is immutable"));
        }
    }
    faults.extend(status_faults(&set["status"]));
    faults
}

fn status_faults(status: &Value) -> Vec<Fault> {
    let count = |field: &str| status[field].as_i64().unwrap_or_default();
    let above = |field: &str, other: &str| {
        let detail = format!("cannot be greater than status.{other}");
        (count(field) > count(other))
            .then(|| Fault::invalid(format!("status.{field}"), &status[field], &detail))
    };
    let fields = ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
    let of_replicas = fields.into_iter().filter_map(|field| above(field, "replicas"));
    of_replicas.chain(above("availableReplicas", "readyReplicas")).collect()
}
