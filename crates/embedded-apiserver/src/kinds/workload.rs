//! Deployments, ReplicaSets and DaemonSets. No controller runs here: there are no Pods but those that somebody creates.

use serde_json::{Value, json};

use super::{default, pod_template};
use crate::fault::Fault;

/// Counts the changes of a DaemonSet's template: a field of its own until `apps/v1`, and still kept.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(super) fn set_deployment_defaults(deployment: &mut Value) {
    let spec = &mut deployment["spec"];
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "progressDeadlineSeconds", json!(600));
    rolling(&mut spec["strategy"], &[("maxSurge", json!("25%")), ("maxUnavailable", json!("25%"))]);
    pod_template::set_defaults(&mut spec["template"]["spec"]);
}

pub(super) fn set_replica_set_defaults(set: &mut Value) {
    let spec = &mut set["spec"];
    default(spec, "replicas", json!(1));
    pod_template::set_defaults(&mut spec["template"]["spec"]);
}

pub(super) fn set_daemon_set_defaults(set: &mut Value) {
    default(&mut set["metadata"]["annotations"], TEMPLATE_GENERATION, json!("0"));
    let spec = &mut set["spec"];
    default(spec, "revisionHistoryLimit", json!(10));
    rolling(&mut spec["updateStrategy"], &[("maxSurge", json!(0)), ("maxUnavailable", json!(1))]);
    pod_template::set_defaults(&mut spec["template"]["spec"]);
}

pub(super) fn prepare_new_daemon_set(set: &mut Value) {
    set["metadata"]["annotations"][TEMPLATE_GENERATION] = json!("1");
    set["status"] = json!({
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
    });
}

pub(super) fn prepare_changed_daemon_set(old: &Value, set: &mut Value) {
    let before = old["metadata"]["annotations"][TEMPLATE_GENERATION].as_str();
    let before: u64 = before.and_then(|count| count.parse().ok()).unwrap_or_default();
    let changed = u64::from(old["spec"]["template"] != set["spec"]["template"]);
    set["metadata"]["annotations"][TEMPLATE_GENERATION] = json!((before + changed).to_string());
}

pub(super) fn validate(workload: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let spec = &workload["spec"];
    if spec["replicas"].as_i64().is_some_and(|replicas| replicas < 0) {
        faults.push(Fault::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    faults.extend(selects_no_pods(spec));
    if old.is_some_and(|old| old["spec"]["selector"] != spec["selector"]) {
        faults.push(Fault::invalid("spec.selector", &spec["selector"], "field is immutable"));
    }
    faults
}

/// A selector that does not match the labels of the template.
pub(super) fn selects_no_pods(spec: &Value) -> Option<Fault> {
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = spec["selector"]["matchLabels"].as_object()?;
    wanted.iter().any(|(key, value)| labels[key] != *value).then(|| {
        let detail = format!("Invalid value: {labels}: `selector` does not match template `labels`");
        Fault::of("FieldValueInvalid", "spec.template.metadata.labels", detail)
    })
}

/// The strategy `RollingUpdate`, with these numbers.
fn rolling(strategy: &mut Value, numbers: &[(&str, Value)]) {
    default(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        for (field, number) in numbers {
            default(&mut strategy["rollingUpdate"], field, number.clone());
        }
    }
}
