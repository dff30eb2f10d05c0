//! Mutating admission that changes what the operator applies, and such that only adds to it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use kube_testkit::eventually;
use serde_json::{Value, json};

use crate::dispute::{Dispute, counts, dispute};
use crate::support::Harness;

const SOON: Duration = Duration::from_secs(30);

/// The policy writes a label of the operator at every write, whoever's it is.
#[tokio::test]
async fn admission_that_changes_what_is_applied_is_told_and_costs_few_writes() {
    let Some(dispute) = dispute("the API server evaluates mutating policies").await else { return };
    let policy = Policy::install(&dispute.harness, "app.kubernetes.io~1name", "'tenant'").await;
    let services = dispute.harness.api::<Service>();
    write(&dispute).await;
    let mut versions = versions(&dispute, 100).await;
    versions.dedup();
    assert_eq!(versions.len(), 1, "applies change nothing");
    assert_eq!(services.get("disputed").await.expect("there").labels()["app.kubernetes.io/name"], "tenant");
    // Applied at 0, 1, 3 and 7 seconds, and each answer told.
    let expected = counts(&[("ChangedByAdmission", 4), ("Created", 1)]);
    assert_eq!(dispute.counts().await, expected);
    let degraded = dispute.degraded().await;
    let what = "The API server stores Service disputed differently from what was applied (metadata.labels.app.kubernetes.io/name):";
    let when = "It was written 4 times since 2026-01-02T03:04:05Z, and will be written again at 2026-01-02T03:04:21Z.";
    assert!(degraded.starts_with(what) && degraded.ends_with(when), "{degraded}");
    let conditions = dispute.conditions(["Ready", "Reconciling", "Stalled", "Degraded"]).await;
    let by_its_servers = [
        "Ready=False RollingOut",
        "Reconciling=True RollingOut",
        "Stalled=False NotStalled",
        "Degraded=True ChangedByAdmission",
    ];
    assert_eq!(conditions, by_its_servers);

    // What somebody else changes meanwhile does not wait, and the write is no reason to say that the policy's label is restored.
    let edit = json!({"spec": {"selector": {"app": "another"}}});
    let edit = Patch::Merge(&edit);
    services.patch("disputed", &PatchParams::default(), &edit).await.expect("edited");
    dispute.reconcile().await;
    let service = services.get("disputed").await.expect("there");
    assert!(!service.spec.expect("a spec").selector.expect("labels").contains_key("app"), "restored at once");
    let note = dispute.told("DriftHealed").await.remove(0).note.unwrap_or_default();
    assert!(note.contains("(spec.selector, also written by "), "{note}");
    assert!(!note.contains("metadata.labels"), "{note}");

    // Nobody tells when the policy is gone; the next write shows it.
    policy.lift(&dispute.harness).await;
    dispute.clock.pass(Duration::from_secs(16));
    dispute.reconcile().await;
    let service = services.get("disputed").await.expect("there");
    assert_eq!(service.labels()["app.kubernetes.io/name"], "memcached");
    assert_eq!(dispute.conditions(["Degraded"]).await, ["Degraded=False AsExpected"]);
}

#[tokio::test]
async fn what_admission_adds_once_is_no_drift() {
    let Some(dispute) = dispute("the API server evaluates mutating policies").await else { return };
    Policy::install(&dispute.harness, "example.com~1team", "'shop'").await;
    write(&dispute).await;
    let mut versions = versions(&dispute, 20).await;
    versions.dedup();
    assert_eq!(versions.len(), 1);
    let service = dispute.harness.api::<Service>().get("disputed").await.expect("there");
    assert_eq!(service.labels()["example.com/team"], "shop");
    assert_eq!(dispute.counts().await, counts(&[("Created", 1)]));
    assert_eq!(dispute.conditions(["Degraded"]).await, ["Degraded=False AsExpected"]);
}

#[tokio::test]
async fn what_admission_adds_at_every_write_is_no_drift_and_costs_none() {
    let Some(dispute) = dispute("the API server evaluates mutating policies").await else { return };
    // Another value at each write.
    let value = "oldObject == null ? '' : 'after-' + oldObject.metadata.resourceVersion";
    Policy::install(&dispute.harness, "example.com~1seen", value).await;
    write(&dispute).await;
    let mut versions = versions(&dispute, 100).await;
    versions.dedup();
    assert_eq!(versions.len(), 1, "nothing that is applied differs");
    assert_eq!(dispute.counts().await, counts(&[("Created", 1)]));
    assert_eq!(dispute.conditions(["Degraded"]).await, ["Degraded=False AsExpected"]);
}

/// Each quantity is stored in another spelling than that of the spec.
#[tokio::test]
async fn a_quantity_in_another_spelling_is_not_taken_for_admission() {
    let Some(dispute) = dispute("the API server spells quantities its own way").await else { return };
    for (cpu, memory) in [
        ("0.5", "1e9"),
        ("500m", "1073741824"),
        ("1000m", "1024Mi"),
        (".25", "1.5Gi"),
        ("2e0", "1100000000000m"),
    ] {
        let resources = json!({"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": cpu}});
        dispute.harness.change("disputed", json!({"resources": resources})).await.expect("changed");
        for _ in 0..3 {
            dispute.reconcile().await;
            dispute.clock.pass(Duration::from_secs(2));
        }
        let said = dispute.degraded().await;
        assert_eq!(said, "All children are up to date.", "{cpu} {memory}");
    }
    assert!(dispute.told("DriftHealed").await.is_empty());
}

/// Somebody writes a field that is nobody's, and so meets the policy.
async fn write(dispute: &Dispute) {
    let note = json!({"metadata": {"annotations": {"example.com/note": "x"}}});
    let services = dispute.harness.api::<Service>();
    services.patch("disputed", &PatchParams::default(), &Patch::Merge(&note)).await.expect("written");
}

/// The versions of the Service after each of so many reconciles, a tenth of a second apart.
async fn versions(dispute: &Dispute, rounds: usize) -> Vec<Option<String>> {
    let services = dispute.harness.api::<Service>();
    let mut versions = Vec::new();
    for _ in 0..rounds {
        dispute.reconcile().await;
        versions.push(services.get("disputed").await.expect("there").resource_version());
        dispute.clock.pass(Duration::from_millis(100));
    }
    versions
}

/// A mutating policy for the Services in the namespace of a test.
struct Policy(String);

fn api(harness: &Harness, kind: &str) -> (Api<DynamicObject>, ApiResource) {
    // `k8s-openapi` does not know it in the version that is used here.
    let resource = ApiResource {
        group: "admissionregistration.k8s.io".into(),
        version: "v1".into(),
        api_version: "admissionregistration.k8s.io/v1".into(),
        kind: kind.into(),
        plural: if kind.ends_with('y') {
            "mutatingadmissionpolicies"
        } else {
            "mutatingadmissionpolicybindings"
        }
        .into(),
    };
    (Api::all_with(harness.client.clone(), &resource), resource)
}

impl Policy {
    /// Writes a label at every write of a Service.
    async fn install(harness: &Harness, key: &str, value: &str) -> Self {
        let name = harness.env.namespace().to_owned();
        let patch = format!("[JSONPatch{{op: 'add', path: '/metadata/labels/{key}', value: {value}}}]");
        let policy = json!({
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"],
                                   "operations": ["CREATE", "UPDATE"]}],
            },
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        });
        for (kind, spec) in [
            ("MutatingAdmissionPolicy", policy),
            ("MutatingAdmissionPolicyBinding", json!({"policyName": name})),
        ] {
            let (api, resource) = api(harness, kind);
            let object = DynamicObject::new(&name, &resource).data(json!({"spec": spec}));
            api.create(&PostParams::default(), &object).await.expect(kind);
        }
        let policy = Self(name);
        eventually("the policy to be in force", SOON, || async {
            policy.is_in_force(harness, key).await.then_some(())
        })
        .await;
        policy
    }

    async fn is_in_force(&self, harness: &Harness, key: &str) -> bool {
        let probe: Value = json!({
            "metadata": {"name": "probe", "labels": {"app": "probe"}},
            "spec": {"clusterIP": "None", "ports": [{"port": 1}]},
        });
        let probe: Service = serde_json::from_value(probe).expect("a Service");
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let made = harness.api::<Service>().create(&dry, &probe).await.expect("a dry run");
        made.labels().contains_key(&key.replace("~1", "/"))
    }

    async fn lift(self, harness: &Harness) {
        for kind in ["MutatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"] {
            let (api, _) = api(harness, kind);
            api.delete(&self.0, &DeleteParams::default()).await.expect("deleted");
        }
        eventually("the policy to be gone", SOON, || async {
            (!self.is_in_force(harness, "app.kubernetes.io~1name").await).then_some(())
        })
        .await;
    }
}
