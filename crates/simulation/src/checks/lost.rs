//! Nothing is lost: every spec that a user wrote last is carried out, and nothing is left of what was deleted.

use memcached_operator::crd::DOMAIN;
use memcached_operator::reconcile::FIELD_MANAGER;
use serde_json::Value;
use shard_router::ShardKey;

use super::Check;
use crate::observations::{DesiredProfile, DesiredSpec, Observations};
use crate::profile::PLURAL;

const RESOURCE: &str = "memcacheds";
const SERVERS: &str = "statefulsets";
const CHILDREN: [&str; 3] = [SERVERS, "services", "poddisruptionbudgets"];

/// Compares desired and objects at the end of the run.
pub(super) fn check(observations: &Observations) -> Check {
    let mut check = Check::new("lost");
    check.judged = observations.desired.len() as u64;
    for (name, wish) in &observations.desired {
        for fault in faults(observations, name, wish) {
            check.violated(observations.ended, format!("{name}: {fault}, at the end of the run."));
        }
    }
    check.judged += observations.profiles.len() as u64;
    for (name, wish) in &observations.profiles {
        if let Some(fault) = of_profile(observations, name, wish) {
            check.violated(observations.ended, format!("{name}: {fault}, at the end of the run."));
        }
    }
    for key in observations.objects.keys() {
        let Some((kind, name)) = key.split_once('/') else { continue };
        if kind == PLURAL && !observations.profiles.contains_key(name) {
            check.violated(
                observations.ended,
                format!("{key} is there at the end of the run, though it was deleted."),
            );
        }
        let ours = kind == RESOURCE || (CHILDREN.contains(&kind) && name != "kubernetes");
        if ours && !observations.desired.contains_key(name) {
            check.violated(
                observations.ended,
                format!("{key} is there at the end of the run, though its Memcached was deleted."),
            );
        }
    }
    check
}

/// The kind that is not sharded has no children and no buckets.
fn of_profile(observations: &Observations, name: &str, wish: &DesiredProfile) -> Option<String> {
    let Some(profile) = observations.objects.get(&format!("{PLURAL}/{name}")) else {
        return Some("asked for, and not there".to_owned());
    };
    let (uid, level) = (&profile["metadata"]["uid"], &profile["status"]["level"]);
    if *uid != wish.uid.as_str() {
        return Some(format!("its uid is {uid} and not {}", wish.uid));
    }
    (*level != wish.level).then(|| format!("{level} was reconciled last and not {}", wish.level))
}

/// What is not as asked for.
fn faults(observations: &Observations, name: &str, wish: &DesiredSpec) -> Vec<String> {
    let object = |kind: &str| observations.objects.get(&format!("{kind}/{name}"));
    let Some(resource) = object(RESOURCE) else { return vec!["asked for, and not there".to_owned()] };
    let mut faults = of_resource(resource, wish);
    faults.extend(of_bucket(resource, wish, observations.schedule.key_label));
    for kind in CHILDREN {
        match object(kind) {
            Some(child) => {
                let found = of_child(resource, child).into_iter();
                faults.extend(found.map(|fault| format!("{fault} of its {kind}")));
            }
            None => faults.push(format!("nothing is there of its {kind}")),
        }
    }
    faults.extend(object(SERVERS).and_then(|servers| of_servers(servers, wish)));
    faults
}

fn of_resource(resource: &Value, wish: &DesiredSpec) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, found: &Value, wanted: Value| {
        if *found != wanted {
            faults.push(format!("{what} is {found} and not {wanted}"));
        }
    };
    let (meta, spec, status) = (&resource["metadata"], &resource["spec"], &resource["status"]);
    expect("the uid", &meta["uid"], Value::from(wish.uid.as_str()));
    expect("spec.replicas", &spec["replicas"], Value::from(wish.replicas));
    expect("spec.memoryLimitMegabytes", &spec["memoryLimitMegabytes"], Value::from(wish.memory));
    expect("metadata.deletionTimestamp", &meta["deletionTimestamp"], Value::Null);
    expect("status.observedGeneration", &status["observedGeneration"], meta["generation"].clone());
    expect("status.ready", &status["ready"], Value::from(format!("{0}/{0}", wish.replicas)));
    faults
}

/// The bucket is the hash of the shard key as it was at one time. It is the label, and what is recorded; only where the key cannot change, nothing need be
/// recorded.
fn of_bucket(resource: &Value, wish: &DesiredSpec, key_label: bool) -> Vec<String> {
    let label = &resource["metadata"]["labels"][format!("{DOMAIN}/bucket")];
    let recorded = &resource["status"]["bucket"];
    let is_missing = recorded.is_null() && key_label;
    let differs = !recorded.is_null() && label.as_str() != Some(&recorded.to_string());
    if is_missing || differs {
        return vec![format!("its bucket label is {label} and its recorded bucket {recorded}")];
    }
    let possible: Vec<String> =
        wish.keys.iter().map(|key| ShardKey::from(key.as_str()).bucket().to_string()).collect();
    let fine = label.as_str().is_some_and(|label| possible.iter().any(|bucket| bucket == label));
    if fine {
        Vec::new()
    } else {
        vec![format!("its bucket label is {label}, and its key gives {possible:?}")]
    }
}

/// What makes a child this resource's, applied by the operator and by nobody else.
fn of_child(resource: &Value, child: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let bucket = format!("{DOMAIN}/bucket");
    let owners = child["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let controllers: Vec<&Value> =
        owners.filter(|owner| owner["controller"] == true).map(|owner| &owner["uid"]).collect();
    if controllers != [&resource["metadata"]["uid"]] {
        faults.push(format!("the controlling owner {controllers:?}"));
    }
    if child["metadata"]["labels"][&bucket] != resource["metadata"]["labels"][&bucket] {
        faults.push(format!("the bucket label {}", child["metadata"]["labels"][&bucket]));
    }
    let entries = child["metadata"]["managedFields"].as_array().into_iter().flatten();
    let of_spec = entries.filter(|entry| !entry["fieldsV1"]["f:spec"].is_null());
    let managers: Vec<(&Value, &Value)> =
        of_spec.map(|entry| (&entry["manager"], &entry["operation"])).collect();
    if !matches!(managers[..], [(manager, operation)] if manager == FIELD_MANAGER && operation == "Apply") {
        faults.push(format!("the field managers {managers:?} of the spec"));
    }
    faults.into_iter().map(|fault| format!("wrong is {fault}")).collect()
}

fn of_servers(servers: &Value, wish: &DesiredSpec) -> Option<String> {
    let spec = &servers["spec"];
    let args = spec["template"]["spec"]["containers"][0]["args"].as_array();
    let memory = args.into_iter().flatten().skip_while(|arg| *arg != "-m").nth(1);
    let memory = memory.and_then(Value::as_str).unwrap_or("no");
    if spec["replicas"] != wish.replicas {
        return Some(format!("its StatefulSet has {} replicas and not {}", spec["replicas"], wish.replicas));
    }
    (memory != wish.memory.to_string())
        .then(|| format!("its servers get {memory} MB and not {}", wish.memory))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::run_builder::{RunBuilder, only, passes};
    use super::*;

    fn wished() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 10_000, 100_000).desired("m-0", 3, 64);
        run
    }

    /// What is found once `path` of the object reads `value`.
    fn spoilt(object: &str, path: &str, value: Value) -> String {
        let mut run = wished();
        let found = run.observations.objects.get_mut(object).expect("told").pointer_mut(path);
        *found.unwrap_or_else(|| panic!("{object} has no {path}")) = value;
        only(&run, "lost").join("; ")
    }

    #[test]
    fn what_is_as_asked_for_passes() {
        assert_eq!(passes(&wished()).judged["lost"], 1);
    }

    #[test]
    fn a_spec_that_was_not_carried_out_is_caught() {
        for (object, path, value, phrase) in [
            ("memcacheds/m-0", "/spec/replicas", json!(2), "spec.replicas is 2 and not 3"),
            ("memcacheds/m-0", "/metadata/uid", json!("other"), "the uid is"),
            ("memcacheds/m-0", "/status/observedGeneration", json!(1), "observedGeneration is 1 and not 2"),
            ("statefulsets/m-0", "/spec/replicas", json!(2), "StatefulSet has 2 replicas and not 3"),
            (
                "statefulsets/m-0",
                "/spec/template/spec/containers/0/args/1",
                json!("32"),
                "servers get 32 MB and not 64",
            ),
            ("services/m-0", "/metadata/ownerReferences/0/uid", json!("old"), "controlling owner"),
            ("services/m-0", "/metadata/managedFields/0/manager", json!("kubectl"), "field managers"),
            ("memcacheds/m-0", "/status/bucket", json!(1), "recorded bucket 1"),
        ] {
            let sentences = spoilt(object, path, value);
            assert!(sentences.contains(phrase), "{phrase:?} is missing in {sentences}");
        }
    }

    #[test]
    fn a_bucket_that_no_key_gives_is_caught() {
        let mut story = wished();
        story.observations.desired.get_mut("m-0").expect("told").keys = vec!["tenant-a".to_owned()];
        assert!(only(&story, "lost")[0].contains("its key gives [\"165\"]"));
    }

    #[test]
    fn a_bucket_need_not_be_recorded_where_the_key_is_the_name() {
        let mut story = wished();
        let resource = story.observations.objects.get_mut("memcacheds/m-0").expect("told");
        resource["status"]["bucket"] = Value::Null;
        passes(&story);
        story.observations.schedule.key_label = true;
        assert!(only(&story, "lost")[0].contains("recorded bucket null"));
    }

    #[test]
    fn a_label_that_is_missing_or_of_another_bucket_is_caught() {
        for label in [Value::Null, json!("1")] {
            let mut story = wished();
            for (key, object) in &mut story.observations.objects {
                if key.ends_with("/m-0") {
                    object["metadata"]["labels"]["cache.example.com/bucket"] = label.clone();
                }
            }
            let resource = story.observations.objects.get_mut("memcacheds/m-0").expect("told");
            resource["status"]["bucket"] = Value::Null;
            assert!(only(&story, "lost")[0].contains("and its key gives"));
        }
    }

    #[test]
    fn what_was_deleted_leaves_nothing() {
        let mut run = wished();
        let service = run.observations.objects["services/m-0"].clone();
        run.observations.objects.insert("services/m-1".to_owned(), service.clone());
        run.observations.objects.insert("services/kubernetes".to_owned(), service);
        let sentences = only(&run, "lost");
        assert!(sentences[0].contains("services/m-1 is there at the end"), "{sentences:?}");
    }

    #[test]
    fn what_is_missing_is_caught() {
        let mut run = wished();
        run.observations.objects.remove("poddisruptionbudgets/m-0");
        assert!(only(&run, "lost")[0].contains("nothing is there of its poddisruptionbudgets"));
        let mut run = wished();
        run.observations.objects.remove("memcacheds/m-0");
        assert!(only(&run, "lost")[0].contains("asked for, and not there"));
    }
}
