//! What there is only with these locks: contents of others in the same object, and a record that cannot be read.

use k8s_openapi::api::core::v1::Event;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use kube_testkit::{RealEnv, eventually};
use lease_core::{CandidateOptions, InvalidOption, RECORD_ANNOTATION, ResourceLock, State, Timings};
use serde_json::{Value, json};

use crate::lock::LOCK;
use crate::support::{DEADLINE, ID, id, now, options, replica, since};
use crate::waiting::{MARGIN, idle, leads, sees, sees_holder};

fn kind() -> &'static str {
    if LOCK == ResourceLock::ConfigMaps { "ConfigMap" } else { "Endpoints" }
}

fn objects(env: &RealEnv) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind()), LOCK.as_str());
    Api::namespaced_with(env.admin(), env.namespace(), &kind)
}

/// An object of somebody else's, with contents and perhaps with an annotation for the record.
async fn create(env: &RealEnv, record: Option<&str>) -> DynamicObject {
    let contents = match LOCK {
        ResourceLock::ConfigMaps => json!({"data": {"k": "v"}, "binaryData": {"b": "AAE="}}),
        _ => {
            json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "protocol": "TCP"}]}]})
        }
    };
    let mut object = json!({
        "apiVersion": "v1", "kind": kind(),
        "metadata": {"name": ID, "labels": {"team": "a"}, "annotations": {"note": "b"}},
    });
    object.as_object_mut().expect("an object").extend(contents.as_object().expect("an object").clone());
    if let Some(record) = record {
        object["metadata"]["annotations"][RECORD_ANNOTATION] = json!(record);
    }
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    objects(env).create(&PostParams::default(), &object).await.expect("an administrator may create it")
}

fn record(object: &DynamicObject) -> Value {
    serde_json::from_str(&object.annotations()[RECORD_ANNOTATION]).expect("a record")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_keep_in_the_object_stays_through_acquisition_renewals_and_release() {
    let Some(env) = kube_testkit::real("several writers share one object").await else { return };
    let before = create(&env, None).await;
    let elections = replica(&env, "first").await;
    let (asked, leader) = (now(), elections.lead(idle));
    leads(&leader, "the first leads").await;
    let waited = since(asked);
    assert!(
        waited >= Timings::fast().lease_duration(),
        "an object without a record was taken after {waited:?}"
    );

    let acquired = objects(&env).get(ID).await.expect("it exists");
    let edit = json!({"metadata": {"annotations": {"later": "c"}}});
    objects(&env).patch(ID, &PatchParams::default(), &Patch::Merge(&edit)).await.expect("an edit");
    let held = eventually("a renewal after the edit", DEADLINE, || async {
        let object = objects(&env).get(ID).await.expect("it exists");
        (record(&object)["renewTime"] != record(&acquired)["renewTime"]).then_some(object)
    })
    .await;
    let held_record = record(&held);
    assert_eq!(held_record["holderIdentity"], "first_1");
    assert_eq!(
        (&held_record["leaseDurationSeconds"], &held_record["leaderTransitions"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(held_record.as_object().expect("a record").len(), 5, "{held_record}");
    for time in ["acquireTime", "renewTime"] {
        let time = held_record[time].as_str().expect("a time");
        assert_eq!(time.len(), "2026-01-02T03:04:05Z".len(), "whole seconds: {time}");
    }
    leader.shutdown().await;
    let released = objects(&env).get(ID).await.expect("it exists");
    assert_eq!(
        (&record(&released)["holderIdentity"], &record(&released)["leaseDurationSeconds"]),
        (&json!(""), &json!(1))
    );
    for object in [&held, &released] {
        assert_eq!(object.data, before.data, "the contents");
        assert_eq!((object.labels()["team"].as_str(), object.annotations()["note"].as_str()), ("a", "b"));
        assert_eq!(object.annotations()["later"], "c");
    }
    elections.shutdown().await;
    let events: Api<Event> = Api::namespaced(env.admin(), env.namespace());
    let events = events.list(&ListParams::default()).await.expect("listed").items;
    let about: Vec<_> = events.iter().map(|event| event.involved_object.kind.as_deref()).collect();
    assert_eq!(about, [Some(kind()); 2], "became leader, stopped leading");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_nobodys_to_take() {
    let Some(env) = kube_testkit::real("somebody writes what is no record").await else { return };
    create(&env, Some("{\"holderIdentity\": 7}")).await;
    let elections = replica(&env, "first").await;
    let candidate = elections.lead(idle);
    let span = Timings::fast().takeover_bound() + MARGIN;
    let asked = now();
    eventually("the candidate to have had time to take it", DEADLINE, || {
        assert!(candidate.term().is_none(), "it took a lock whose holder nobody knows");
        std::future::ready((since(asked) > span).then_some(()))
    })
    .await;
    let object = objects(&env).get(ID).await.expect("it exists");
    assert_eq!(object.annotations()[RECORD_ANNOTATION], "{\"holderIdentity\": 7}");
    let removed = json!({"metadata": {"annotations": {RECORD_ANNOTATION: null}}});
    objects(&env).patch(ID, &PatchParams::default(), &Patch::Merge(&removed)).await.expect("an edit");
    leads(&candidate, "it leads once the annotation is gone").await;
    candidate.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_the_record_that_are_not_known_are_kept() {
    let Some(env) = kube_testkit::real("a newer program writes more").await else { return };
    let record_of = |later: bool| {
        let mut record = json!({
            "holderIdentity": "stranger_1", "leaseDurationSeconds": 2, "leaderTransitions": 4,
            "acquireTime": "2026-01-02T03:04:05Z", "renewTime": "2026-01-02T03:04:05Z",
        });
        if later {
            record["strategy"] = json!("OldestEmulationVersion");
            record["later"] = json!([1]);
        }
        record.to_string()
    };
    create(&env, Some(&record_of(true))).await;
    let elections = replica(&env, "first").await;
    let candidate = elections.lead(idle);
    leads(&candidate, "it leads once the stranger has expired").await;
    let object = objects(&env).get(ID).await.expect("it exists");
    assert_eq!(record(&object)["leaderTransitions"], 5);
    assert_eq!(
        (&record(&object)["strategy"], &record(&object)["later"]),
        (&json!("OldestEmulationVersion"), &json!([1]))
    );
    candidate.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_one_object_and_a_warning() {
    let Some(env) = kube_testkit::real("elections start on it").await else { return };
    let warnings = options(&env, "first").warnings();
    assert!(
        warnings.iter().any(|warning| warning.contains("is legacy, client-go refuses it since 0.24")),
        "{warnings:?}"
    );
    let elections = replica(&env, "first").await;
    let suffixed = id().suffixed("shard-0").expect("valid");
    let error = elections.candidate(suffixed, CandidateOptions::default(), idle).expect_err("refused");
    assert!(matches!(error, InvalidOption::LegacyLock { .. }), "{error}");
    assert!(
        error.to_string().ends_with("there can be no candidate for test.example.com-shard-0; use \"leases\""),
        "{error}"
    );
}

/// A standby follows the object by a watch on its name, and sends nothing while nothing changes but renewals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_others_created_is_watched_without_a_label() {
    let Some(env) = kube_testkit::real("watches select by name").await else { return };
    create(
        &env,
        Some("{\"holderIdentity\":\"stranger_1\",\"leaseDurationSeconds\":30,\"leaderTransitions\":4}"),
    )
    .await;
    let elections = replica(&env, "first").await;
    let candidate = elections.lead(idle);
    sees_holder(&candidate, "stranger_1").await;
    let changed = now();
    let edit = json!({"metadata": {"annotations": {
        RECORD_ANNOTATION: "{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,\"leaderTransitions\":4}",
    }}});
    objects(&env).patch(ID, &PatchParams::default(), &Patch::Merge(&edit)).await.expect("an edit");
    leads(&candidate, "it leads after the release").await;
    // By polling it would take two RetryPeriods.
    let took = since(changed);
    assert!(took < Timings::fast().retry_period(), "the release was seen after {took:?}");
    sees(&candidate, "it leads", |seen| seen.state == State::Leader).await;
    assert!(elections.health().watch_is_live);
    candidate.shutdown().await;
}
