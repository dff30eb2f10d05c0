//! StatefulSets.

use serde_json::{Value, json};

use super::{default, pod_template};
use crate::embedded::refusal::Fault;

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
    default(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        default(&mut strategy["rollingUpdate"], "partition", json!(0));
    }
    pod_template::set_defaults(&mut spec["template"]["spec"]);
}

pub(super) fn validate(set: &Value, old: Option<&Value>) -> Vec<Fault> {
    const CHANGEABLE: [&str; 7] = [
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "template",
        "updateStrategy",
    ];
    let mut faults = Vec::new();
    let spec = &set["spec"];
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        faults.push(Fault::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    let selector = &spec["selector"];
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = selector["matchLabels"].as_object();
    if wanted.is_some_and(|wanted| wanted.iter().any(|(key, value)| labels[key] != *value)) {
        let shown = labels.to_string();
        let detail = format!("Invalid value: {shown}: `selector` does not match template `labels`");
        faults.push(Fault::of("FieldValueInvalid", "spec.template.metadata.labels", detail));
    }
    if let Some(old) = old {
        let fixed = |set: &Value| {
            let mut spec = set["spec"].clone();
            if let Some(fields) = spec.as_object_mut() {
                fields.retain(|name, _| !CHANGEABLE.contains(&name.as_str()));
            }
            spec
        };
        if fixed(set) != fixed(old) {
            faults.push(Fault::forbidden(
                "spec",
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                 'minReadySeconds' are forbidden",
            ));
        }
    }
    faults
}
