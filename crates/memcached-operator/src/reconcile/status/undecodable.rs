//! The status of a resource that cannot be decoded, made from the object as the API server sent it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde_json::{Value, json};
use shard_router::{Lenient, Undecodable};

use super::conditions::Verdict;
use super::{DEGRADED, READY, RECONCILING, STALLED};
use crate::crd::{Memcached, MemcachedStatus};
use crate::reconcile::FIELD_MANAGER;

/// The reason of each condition.
const REASON: &str = "CannotBeDecoded";

/// Says in the conditions that the resource cannot be decoded, unless they say so already. The next ordinary reconcile, once the
/// resource is mended, overwrites them.
///
/// # Errors
/// If the write fails, also because the resource has changed since: then the caller tries again with what is there now.
pub async fn report(object: &Undecodable, client: Client, now: Timestamp) -> Result<(), kube::Error> {
    let Some(status) = status(object.object(), object.error(), now) else {
        return Ok(());
    };
    let meta = object.metadata();
    let name = meta.name.as_deref().unwrap_or_default();
    // The answer does not decode either, so it is not read as a `Memcached`.
    let api: Api<Lenient<Memcached>> =
        Api::namespaced_with(client, meta.namespace.as_deref().unwrap_or_default(), &());
    let body = json!({
        "apiVersion": Memcached::api_version(&()),
        "kind": Memcached::kind(&()),
        "metadata": {"name": name, "uid": meta.uid, "resourceVersion": meta.resource_version},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(name, &params, &Patch::Apply(&body)).await.map(drop)
}

/// The status to write; `None` if the object has it already. What was reported before about the servers is repeated, as an apply
/// removes what it leaves out.
fn status(object: &Value, error: &str, now: Timestamp) -> Option<MemcachedStatus> {
    // If the status itself is what does not decode, it is written anew.
    let reported =
        object.get("status").and_then(|status| MemcachedStatus::deserialize(status).ok()).unwrap_or_default();
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let message = || format!("The resource cannot be decoded: {error}");
    let verdicts = [
        (READY, Verdict::no(REASON, message())),
        (RECONCILING, Verdict::no(REASON, "It is not reconciled until it is corrected.".into())),
        (STALLED, Verdict::yes(REASON, message())),
        (DEGRADED, Verdict::yes(REASON, message())),
    ];
    let mut conditions = reported.conditions.clone();
    for (type_, verdict) in verdicts {
        let new = verdict.into_condition(type_, generation, &reported.conditions, now);
        put(&mut conditions, new);
    }
    let status =
        MemcachedStatus { observed_generation: generation, bucket: None, conditions, ..reported.clone() };
    (status != MemcachedStatus { bucket: None, ..reported }).then_some(status)
}

fn put(conditions: &mut Vec<Condition>, new: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Value {
        json!({
            "metadata": {"name": "sessions", "generation": 4},
            "spec": {"resources": {"limits": {"cpu": null}}},
            "status": {"replicas": 2, "readyReplicas": 1, "selector": "a=b", "bucket": 7},
        })
    }

    #[test]
    fn it_stalls_and_what_was_known_of_the_servers_and_the_bucket_of_the_router_are_left() {
        let status = status(&broken(), "spec.resources: bad", Timestamp::UNIX_EPOCH).unwrap();
        let said: Vec<_> =
            status.conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason)).collect();
        let expected = ["Ready=False", "Reconciling=False", "Stalled=True", "Degraded=True"]
            .map(|c| format!("{c} {REASON}"));
        assert_eq!(said, expected);
        assert!(status.conditions[0].message.ends_with("spec.resources: bad"));
        assert_eq!((status.observed_generation, status.replicas, status.ready_replicas), (Some(4), 2, 1));
        assert_eq!((status.selector.as_deref(), status.bucket), (Some("a=b"), None));
    }

    #[test]
    fn what_is_said_already_is_not_written_again() {
        let mut object = broken();
        object["status"] =
            serde_json::to_value(status(&object, "bad", Timestamp::UNIX_EPOCH).unwrap()).unwrap();
        object["status"]["bucket"] = json!(7);
        let later = Timestamp::from_second(60).unwrap();
        assert_eq!(status(&object, "bad", later), None);
        assert!(status(&object, "worse", later).is_some());
        object["metadata"]["generation"] = json!(5);
        assert!(status(&object, "bad", later).is_some());
    }
}
