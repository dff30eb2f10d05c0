//! What the user or the configuration wants on the Lease, and the API server does not.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use lease_core::AnnotationChanges;
use lease_core::{
    AnnotateError, CandidateOptions, Elections, Identity, InvalidMetadata, InvalidOption, RequestError,
    StartError, Term,
};
use lease_core::{MAX_ANNOTATIONS, check_annotations, check_labels};
use serde_json::json;

use crate::support::{ID, id, leases, options, replica};
use crate::waiting::leads;

async fn idle(term: Term) {
    term.draining().await;
}

fn note(key: &str, value: &str) -> AnnotationChanges {
    [(key.to_owned(), Some(value.to_owned()))].into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_annotation_that_is_refused_is_told_and_costs_nothing() {
    let Some(env) = kube_testkit::real("it validates what a Lease carries").await else { return };
    let replica = replica(&env, "first").await;
    let leader = replica.lead(idle);
    let term = leads(&leader, "the first leads").await;

    for (key, value) in [("not a key", ""), ("example.com/large", &*"x".repeat(MAX_ANNOTATIONS))] {
        let error = leader.annotate(note(key, value)).await.expect_err("no API server takes it");
        assert!(matches!(error, AnnotateError::Invalid(_)), "{error}");
    }
    let error = leader.annotate(note("lease-core.dev/installation", "theirs")).await.expect_err("not theirs");
    assert!(matches!(error, AnnotateError::Invalid(InvalidMetadata::Reserved { .. })), "{error}");

    // What only the API server knows: an admission policy of its administrators.
    refuse_annotation(&env, "example.com/forbidden").await;
    let (bad, good) = tokio::join!(
        refused(&leader, "example.com/forbidden"),
        leader.annotate(note("example.com/good", "b"))
    );
    println!("refused: {bad}");
    assert!(matches!(bad, AnnotateError::NotWritten(RequestError::Rejected { .. })), "{bad}");
    good.expect("one that is refused is no reason to refuse another");

    let again = leader.term().expect("it still leads");
    assert_eq!(again.token(), term.token(), "the Lease was lost for an annotation");
    let annotations = leases(&env).get(ID).await.expect("it exists").metadata.annotations.expect("some");
    assert_eq!(annotations.get("example.com/good").map(String::as_str), Some("b"));
    assert!(!annotations.contains_key("example.com/forbidden"));
    leader.shutdown().await;
    replica.shutdown().await;
}

/// Asks until the policy is in force, which takes the API server a moment.
async fn refused(leader: &lease_core::Candidate, key: &str) -> AnnotateError {
    kube_testkit::eventually("the policy to refuse the annotation", crate::support::DEADLINE, || async {
        let refused = leader.annotate(note(key, "a")).await.err();
        if refused.is_none() {
            leader.annotate([(key.to_owned(), None)].into()).await.expect("to take off is allowed");
        }
        refused
    })
    .await
}

async fn refuse_annotation(env: &kube_testkit::RealEnv, key: &str) {
    let name = format!("{}.example.com", env.namespace());
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["leases"],
            }] },
            "validations": [{
                "expression": format!("!has(object.metadata.annotations) || !('{key}' in object.metadata.annotations)"),
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": env.namespace() } } },
        },
    });
    let create = PostParams::default();
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy).expect("a policy");
    Api::all(env.admin()).create(&create, &policy).await.expect("the policy is accepted");
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding).expect("a binding");
    Api::all(env.admin()).create(&create, &binding).await.expect("the binding is accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_here_is_refused_there() {
    let Some(env) = kube_testkit::real("its rules for keys and values").await else { return };
    let api: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    let (longest, longer) = ("a".repeat(63), "a".repeat(64));
    let mut tried = Vec::new();
    for key in [
        "a",
        "A.b_c-d",
        "Example.com/a",
        "example.com/A",
        "9",
        "/a",
        "a/",
        "a/b/c",
        "a b",
        "-a",
        "a_",
        "a_b/c",
        "ä",
        &longest,
        &longer,
    ] {
        tried.push(("annotations", key, ""));
        tried.push(("labels", key, ""));
    }
    for value in ["A.b_c-9", "a b", "-a", "a.", "a/b", &longest, &longer] {
        tried.push(("labels", "a", value));
    }
    let large = "x".repeat(MAX_ANNOTATIONS);
    tried.extend([("annotations", "a", &large[1..]), ("annotations", "a", &large[..])]);
    let dry = PatchParams { dry_run: true, field_manager: None, ..PatchParams::default() };
    let object = json!({ "metadata": { "name": "tried" } });
    let object = serde_json::from_value(object).expect("a ConfigMap");
    api.create(&PostParams::default(), &object).await.expect("an administrator may");
    for (field, key, value) in tried {
        let map = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let ours = if field == "labels" { check_labels(&map) } else { check_annotations(&map) };
        let patch = json!({ "metadata": { field: map } });
        let theirs = api.patch("tried", &dry, &Patch::Merge(&patch)).await;
        assert_eq!(
            ours.is_ok(),
            theirs.is_ok(),
            "{field} {key:?}: {} bytes: {ours:?}, {theirs:?}",
            value.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_every_write_would_be_refused_for_are_refused_at_once() {
    let Some(env) = kube_testkit::real("a client, which is asked for nothing").await else { return };
    let config = || env.config(&kube_testkit::TestUser::admin());
    let mut odd = options(&env, "odd");
    odd.domain = "not a domain".into();
    let error = Elections::start(config(), odd).await.err().expect("no label has such a prefix");
    assert!(matches!(error, StartError::Option(InvalidOption::Domain { .. })), "{error}");
    let mut odd = options(&env, "odd");
    odd.identity = Identity::new("x".repeat(10_000)).expect("not empty");
    let error = Elections::start(config(), odd).await.err().expect("no plan has room for it");
    assert!(matches!(error, StartError::Option(InvalidOption::Identity { .. })), "{error}");

    let replica = replica(&env, "even").await;
    let labels = CandidateOptions::default().label("a b", "");
    let error = replica.candidate(id().lease_name(), labels, idle).expect_err("no label has such a key");
    println!("{error}");
    assert!(matches!(error, InvalidOption::Metadata(InvalidMetadata::Key { .. })), "{error}");
    replica.shutdown().await;
}
