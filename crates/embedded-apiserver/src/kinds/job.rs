//! Jobs and CronJobs. No controller runs here: a Job is finished when somebody writes so into its status.

use serde_json::{Value, json};

use super::{default, pod_template};
use crate::fault::Fault;

pub(super) fn set_defaults(job: &mut Value) {
    let spec = &mut job["spec"];
    let open = |spec: &Value, field: &str| spec.get(field).is_none_or(Value::is_null);
    if open(spec, "completions") && open(spec, "parallelism") {
        spec["completions"] = json!(1);
    }
    default(spec, "parallelism", json!(1));
    let limit = if open(spec, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    default(spec, "backoffLimit", json!(limit));
    default(spec, "completionMode", json!("NonIndexed"));
    default(spec, "suspend", json!(false));
    default(spec, "manualSelector", json!(false));
    let replaced = if open(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    default(spec, "podReplacementPolicy", json!(replaced));
    pod_template::set_defaults(&mut spec["template"]["spec"]);
    tidy(spec);
    label(job);
}

pub(super) fn set_cron_defaults(job: &mut Value) {
    let spec = &mut job["spec"];
    default(spec, "concurrencyPolicy", json!("Allow"));
    default(spec, "suspend", json!(false));
    default(spec, "successfulJobsHistoryLimit", json!(3));
    default(spec, "failedJobsHistoryLimit", json!(1));
    pod_template::set_defaults(&mut spec["jobTemplate"]["spec"]["template"]["spec"]);
}

/// A Job finds its Pods by its own uid.
pub(super) fn prepare_new(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    for key in ["batch.kubernetes.io/controller-uid", "controller-uid"] {
        labels[key] = uid.clone();
    }
    for key in ["batch.kubernetes.io/job-name", "job-name"] {
        labels[key] = name.clone();
    }
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    label(job);
}

/// A Job without labels has those of its Pods.
fn label(job: &mut Value) {
    let labels = job.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let Some(labels) = labels.filter(|labels| !labels.is_empty()).cloned() else { return };
    let own = job.pointer("/metadata/labels").and_then(Value::as_object);
    if own.is_none_or(serde_json::Map::is_empty) {
        job["metadata"]["labels"] = Value::Object(labels);
    }
}

pub(super) fn validate(job: &Value, old: Option<&Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let spec = &job["spec"];
    faults.extend(ends_never(spec, "spec.template.spec.restartPolicy"));
    for field in ["selector", "completions", "template", "completionMode"] {
        if old.is_some_and(|old| old["spec"][field] != spec[field]) {
            faults.push(Fault::invalid(format!("spec.{field}"), &spec[field], "field is immutable"));
        }
    }
    faults
}

pub(super) fn validate_cron(job: &Value) -> Vec<Fault> {
    let faults =
        ends_never(&job["spec"]["jobTemplate"]["spec"], "spec.jobTemplate.spec.template.spec.restartPolicy");
    faults.into_iter().collect()
}

fn ends_never(spec: &Value, field: &str) -> Option<Fault> {
    let policy = spec["template"]["spec"]["restartPolicy"].as_str();
    let ends = matches!(policy, Some("OnFailure" | "Never"));
    (!ends).then(|| Fault::required(field, "valid values: \"OnFailure\", \"Never\""))
}

/// Indexing leaves nulls behind.
fn tidy(spec: &mut Value) {
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}
