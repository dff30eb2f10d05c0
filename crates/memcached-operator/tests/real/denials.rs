//! What admission says no to, and when that is told.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use kube_testkit::eventually;
use serde_json::{Value, json};

use crate::support::{Harness, harness};

const SOON: Duration = Duration::from_secs(30);

/// A denial that stays the same until somebody acts: the user reads so at once, and that it is stalled.
#[tokio::test]
async fn a_denial_that_a_retry_cannot_mend_is_stalled_at_once_whatever_its_code() {
    let Some(harness) = harness("the API server evaluates policies").await else { return };
    for (name, reason) in
        [("invalid", "Invalid"), ("forbidden", "Forbidden"), ("large", "RequestEntityTooLarge")]
    {
        let policy = deny(&harness, reason).await;
        harness.create(name, json!({})).await.expect("created");
        harness.reconcile(name).await.expect_err("denied");
        assert_eq!(told(&harness, name).await, ["Degraded", "Stalled"], "{reason}");
        policy.lift(&harness).await;
        eventually("the policy to be gone", SOON, || async { harness.reconcile_after(name, 1).await.ok() })
            .await;
        assert!(told(&harness, name).await.is_empty(), "{reason}: it recovers");
    }
}

/// What is wrong with it: the conditions that hold and quote the policy.
async fn told(harness: &Harness, name: &str) -> Vec<String> {
    let conditions = harness.status(name).await.conditions;
    let about = conditions.iter().filter(|condition| {
        condition.status == "True" && condition.message.contains("no StatefulSet may be made here")
    });
    let mut types: Vec<_> = about.map(|condition| condition.type_.clone()).collect();
    types.sort();
    types
}

/// A policy that lets no StatefulSet be made in the namespace of the test.
struct Policy(String);

impl Policy {
    async fn lift(self, harness: &Harness) {
        let params = DeleteParams::default();
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(harness.client.clone());
        bindings.delete(&self.0, &params).await.expect("deleted");
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(harness.client.clone());
        policies.delete(&self.0, &params).await.expect("deleted");
    }
}

async fn deny(harness: &Harness, reason: &str) -> Policy {
    let namespace = harness.env.namespace();
    let name = format!("{namespace}-{}", reason.to_lowercase());
    let policy = json!({
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["statefulsets"],
                                   "operations": ["CREATE"]}],
            },
            "validations": [{"expression": "false", "reason": reason, "message": "no StatefulSet may be made here"}],
        },
    });
    let binding =
        json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}});
    let parameters = PostParams::default();
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(harness.client.clone());
    policies.create(&parameters, &parsed(policy)).await.expect("created");
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(harness.client.clone());
    bindings.create(&parameters, &parsed(binding)).await.expect("created");

    let labels = json!({"app": "probe"});
    let probe: StatefulSet = parsed(json!({
        "metadata": {"name": "probe"},
        "spec": {"serviceName": "probe", "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "probe", "image": "probe"}]}}},
    }));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the policy to be in force", SOON, || async {
        let denied = harness.api::<StatefulSet>().create(&dry, &probe).await.err()?;
        denied.to_string().contains("no StatefulSet may be made here").then_some(())
    })
    .await;
    Policy(name)
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of this kind")
}
