//! The servers. A StatefulSet gives each a stable DNS name, by which clients spread keys.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{labels, pod};
use crate::reconcile::validate::Fleet;

/// Enough to look back, and little to store.
const REVISIONS_KEPT: i32 = 3;

pub(super) fn build(fleet: &Fleet, bucket: Option<&(String, String)>) -> StatefulSet {
    StatefulSet {
        metadata: labels::metadata(fleet, bucket),
        spec: Some(StatefulSetSpec {
            replicas: Some(fleet.replicas),
            selector: labels::label_selector(fleet),
            service_name: Some(fleet.name.clone()),
            // Servers don't know of each other, so there is nothing to wait for when several start.
            pod_management_policy: Some("Parallel".into()),
            revision_history_limit: Some(REVISIONS_KEPT),
            // One server after the other: a restart empties it.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".into()),
                ..StatefulSetUpdateStrategy::default()
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels::of_pods(fleet)), ..ObjectMeta::default() }),
                spec: Some(pod::build(fleet)),
            },
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::reconcile::build::build;
    use crate::reconcile::testing::{bucket, memcached};
    use crate::reconcile::validate::validate;
    use serde_json::{Value, json};

    fn built(spec: Value) -> Value {
        let fleet = validate(&memcached(spec)).expect("valid");
        serde_json::to_value(build(&fleet, Some(&bucket())).stateful_set).expect("JSON")
    }

    #[test]
    fn belongs_to_its_memcached_and_its_bucket() {
        let mut set = built(json!({"replicas": 3}));
        set["metadata"].as_object_mut().expect("metadata").remove("annotations");
        assert_eq!(
            set["metadata"],
            json!({
                "name": "sessions",
                "namespace": "shop",
                "labels": {
                    "app.kubernetes.io/name": "memcached",
                    "app.kubernetes.io/instance": "sessions",
                    "app.kubernetes.io/managed-by": "memcached-operator",
                    "cache.example.com/memcached": "sessions",
                    "cache.example.com/bucket": "17",
                },
                "ownerReferences": [{
                    "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "name": "sessions",
                    "uid": "uid-1", "controller": true,
                }],
            })
        );
        assert_eq!(set["spec"]["replicas"], 3);
        assert_eq!(set["spec"]["serviceName"], "sessions");
    }

    #[test]
    fn pods_are_selected_without_the_bucket() {
        let set = built(json!({}));
        let selector = json!({"cache.example.com/memcached": "sessions"});
        assert_eq!(set["spec"]["selector"]["matchLabels"], selector);
        assert_eq!(set["spec"]["template"]["metadata"]["labels"]["cache.example.com/bucket"], Value::Null);
    }

    #[test]
    fn a_change_of_memory_changes_the_pods_and_a_change_of_replicas_does_not() {
        let template = |spec| built(spec)["spec"]["template"].clone();
        assert_ne!(template(json!({})), template(json!({"memoryLimitMegabytes": 128})));
        assert_eq!(template(json!({})), template(json!({"replicas": 7})));
    }
}
