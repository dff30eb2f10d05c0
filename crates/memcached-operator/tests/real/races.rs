//! Somebody is quicker: what happens between the reads and the writes of one reconcile.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::apply::{Applied, apply};
use memcached_operator::reconcile::build::{Children, build};
use memcached_operator::reconcile::fetch::{self, Observed};
use memcached_operator::reconcile::validate::validate;
use memcached_operator::reconcile::{ReconcileError, applier};
use serde_json::{Value, json};

use crate::support::{Harness, harness};

/// How often each kind is raced for.
const ROUNDS: usize = 25;

#[tokio::test]
async fn what_a_stranger_made_since_the_read_is_never_rewritten() {
    let Some(harness) = harness("the API server compares versions").await else { return };
    for kind in ["service", "budget", "set"] {
        let memcached = harness.create(kind, json!({})).await.expect("created");
        let seen = fetch::children(&harness.client, &memcached, &applier()).await.expect("nothing is there");
        let before = harness.make_strange(kind, kind).await.expect("nobody was quicker");
        let error = applied(&harness, &memcached, &seen).await.expect_err("refused").to_string();
        assert!(error.contains("exists and does not belong to this Memcached"), "{error}");
        assert_eq!(harness.version(kind, kind).await, before, "the {kind} was written");
        // The resource says so as soon as it is reconciled again.
        let _ = harness.reconcile(kind).await;
        let conditions = harness.status(kind).await.conditions;
        assert!(conditions.iter().any(|c| c.message.contains("does not belong")), "{conditions:?}");
    }
}

#[tokio::test]
async fn of_two_that_create_at_once_one_wins_and_stays() {
    let Some(harness) = harness("only the API server decides races").await else { return };
    let rounds = (0..ROUNDS).flat_map(|round| ["service", "budget", "set"].map(|kind| (round, kind)));
    for (round, kind) in rounds {
        let name = format!("{kind}-{round}");
        let memcached = harness.create(&name, json!({})).await.expect("created");
        let seen = Observed::default();
        let ours = applied(&harness, &memcached, &seen);
        let theirs = harness.make_strange(kind, &name);
        let (ours, theirs) = tokio::join!(ours, theirs);
        match theirs {
            Some(version) => {
                let error = ours.expect_err("the stranger was first").to_string();
                assert!(error.contains("does not belong"), "{error}");
                assert_eq!(harness.version(kind, &name).await, version, "{name} was written");
            }
            None => {
                ours.expect("the stranger was refused");
            }
        }
    }
}

#[tokio::test]
async fn a_child_that_was_made_anew_since_the_read_is_judged_again() {
    let Some(harness) = harness("the API server compares uids").await else { return };
    let memcached = harness.create("anew", json!({})).await.expect("created");
    harness.reconcile("anew").await.expect("reconciled");
    let services = harness.api::<Service>();
    // So that there is something to write.
    let edit = json!({"metadata": {"labels": {"app.kubernetes.io/name": "edited"}}});
    services.patch("anew", &PatchParams::default(), &Patch::Merge(&edit)).await.expect("edited");
    let seen = fetch::children(&harness.client, &memcached, &applier()).await.expect("ours");
    services.delete("anew", &DeleteParams::default()).await.expect("deleted");
    let strange = harness.make_strange("service", "anew").await.expect("made anew");
    let error = applied(&harness, &memcached, &seen).await.expect_err("refused").to_string();
    assert!(error.contains("does not belong"), "{error}");
    assert_eq!(harness.version("service", "anew").await, strange, "the stranger's Service was written");

    // One that is gone for good is made anew.
    services.delete("anew", &DeleteParams::default()).await.expect("deleted");
    let made = applied(&harness, &memcached, &seen).await.expect("applied").created;
    assert_eq!(made, ["Service anew"]);
}

#[tokio::test]
async fn a_write_that_comes_late_undoes_nothing() {
    let Some(harness) = harness("the API server compares versions").await else { return };
    let old = harness.create("late", json!({"replicas": 2})).await.expect("created");
    harness.reconcile("late").await.expect("reconciled");
    let seen = fetch::children(&harness.client, &old, &applier()).await.expect("ours");
    harness.change("late", json!({"replicas": 5})).await.expect("changed");
    harness.reconcile("late").await.expect("reconciled by a successor");
    // The request of the predecessor, as it was sent.
    let mut late = children(&old).stateful_set;
    let meta = seen.stateful_set.expect("there").metadata.clone();
    (late.metadata.uid, late.metadata.resource_version) = (meta.uid, meta.resource_version);
    let params = PatchParams::apply("memcached-operator").force();
    let sets = harness.api::<StatefulSet>();
    let error = sets.patch("late", &params, &Patch::Apply(&late)).await.expect_err("refused");
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 409), "{error}");
    let set = sets.get("late").await.expect("there");
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(5));
}

#[tokio::test]
async fn what_is_ours_is_mended_whoever_made_it() {
    let Some(harness) = harness("the API server merges what is applied").await else { return };
    let memcached = harness.create("restored", json!({})).await.expect("created");
    // As a backup brings it back: with its owner, without what the operator added since.
    let mut backup = children(&memcached).service;
    backup.metadata.labels = None;
    harness.api::<Service>().create(&PostParams::default(), &backup).await.expect("restored");
    applied(&harness, &memcached, &Observed::default()).await.expect("mended");
    let service = harness.api::<Service>().get("restored").await.expect("there");
    assert_eq!(service.labels()["cache.example.com/bucket"], "17");
}

#[tokio::test]
async fn a_field_of_a_new_child_goes_when_it_is_applied_no_more() {
    let Some(harness) = harness("the API server books who applied what").await else { return };
    let memcached = harness.create("fields", json!({})).await.expect("created");
    let mut first = children(&memcached);
    let metas =
        [first.service.meta_mut(), first.pod_disruption_budget.meta_mut(), first.stateful_set.meta_mut()];
    for meta in metas {
        let annotations = meta.annotations.get_or_insert_default();
        annotations.insert("example.com/dropped-later".into(), "x".into());
        annotations.insert("cache.example.com/applied-digest".into(), "that of another version".into());
    }
    let seen = Observed::default();
    apply(&harness.client, &memcached, first, &seen, &applier()).await.expect("created");
    let annotated = |meta: &kube::api::ObjectMeta| {
        meta.annotations.as_ref().is_some_and(|all| all.contains_key("example.com/dropped-later"))
    };
    let there = fetch::children(&harness.client, &memcached, &applier()).await.expect("ours");
    assert!(metas_of(&there).into_iter().all(annotated), "they were created with it");
    applied(&harness, &memcached, &there).await.expect("applied without it");
    let left = fetch::children(&harness.client, &memcached, &applier()).await.expect("ours");
    assert!(!metas_of(&left).into_iter().any(annotated), "a field that was dropped has stayed");
}

fn metas_of(observed: &Observed) -> [&kube::api::ObjectMeta; 3] {
    [
        observed.service.as_ref().expect("there").meta(),
        observed.pod_disruption_budget.as_ref().expect("there").meta(),
        observed.stateful_set.as_ref().expect("there").meta(),
    ]
}

fn children(memcached: &Memcached) -> Children {
    let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
    build(&validate(memcached).expect("valid"), Some(&bucket))
}

async fn applied(
    harness: &Harness,
    memcached: &Memcached,
    seen: &Observed,
) -> Result<Applied, ReconcileError> {
    apply(&harness.client, memcached, children(memcached), seen, &applier()).await
}

impl Harness {
    /// A stranger makes an object of this name, if nobody else has. Returns its uid and version.
    async fn make_strange(&self, kind: &str, name: &str) -> Option<(String, String)> {
        let labels = json!({"app": "another"});
        let params = PostParams::default();
        let object = |spec: Value| json!({"metadata": {"name": name, "labels": labels}, "spec": spec});
        let selector = json!({"matchLabels": labels});
        let made = match kind {
            "service" => {
                let spec = json!({"clusterIP": "None", "selector": labels, "ports": [{"port": 1}]});
                let made: Service = serde_json::from_value(object(spec)).expect("a Service");
                self.api().create(&params, &made).await.map(|made| made.metadata)
            }
            "budget" => {
                let spec = json!({"maxUnavailable": 1, "selector": selector});
                let made: PodDisruptionBudget = serde_json::from_value(object(spec)).expect("a budget");
                self.api().create(&params, &made).await.map(|made| made.metadata)
            }
            _ => {
                let pod = json!({"containers": [{"name": "other", "image": "example.com/other:1"}]});
                let template = json!({"metadata": {"labels": labels}, "spec": pod});
                let spec = json!({"serviceName": name, "selector": selector, "template": template});
                let made: StatefulSet = serde_json::from_value(object(spec)).expect("a StatefulSet");
                self.api().create(&params, &made).await.map(|made| made.metadata)
            }
        };
        match made {
            Ok(meta) => Some((meta.uid.unwrap_or_default(), meta.resource_version.unwrap_or_default())),
            Err(kube::Error::Api(status)) if status.code == 409 => None,
            Err(error) => panic!("the stranger's {kind} was refused: {error}"),
        }
    }

    async fn version(&self, kind: &str, name: &str) -> (String, String) {
        let meta = match kind {
            "service" => self.api::<Service>().get(name).await.expect("there").metadata,
            "budget" => self.api::<PodDisruptionBudget>().get(name).await.expect("there").metadata,
            _ => self.api::<StatefulSet>().get(name).await.expect("there").metadata,
        };
        (meta.uid.unwrap_or_default(), meta.resource_version.unwrap_or_default())
    }
}
