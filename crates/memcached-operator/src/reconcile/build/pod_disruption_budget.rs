//! One server at a time.
//!
//! `maxUnavailable` rather than `minAvailable`: it suits every number of replicas, a lone one included, which it lets go
//! so that a node can be drained. So the budget is never deleted, and the operator needs no right to delete one.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels;
use crate::reconcile::validate::Fleet;

/// How many servers may be missing at once before the cache no longer counts as available.
pub const MAX_UNAVAILABLE: i32 = 1;

pub(super) fn build(fleet: &Fleet, bucket: Option<&(String, String)>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: labels::metadata(fleet, bucket),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(MAX_UNAVAILABLE)),
            selector: Some(labels::label_selector(fleet)),
            // A server that does not answer anyway must not hold up a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
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

    #[test]
    fn is_the_same_for_every_number_of_replicas() {
        let built = |replicas: i32| -> Value {
            let fleet = validate(&memcached(json!({"replicas": replicas}))).expect("valid");
            serde_json::to_value(build(&fleet, Some(&bucket())).pod_disruption_budget).expect("JSON")
        };
        assert_eq!(built(0), built(9));
        assert_eq!(built(1)["spec"]["maxUnavailable"], 1);
        assert_eq!(built(1)["spec"]["minAvailable"], Value::Null);
    }
}
