//! What the API server makes of the definition.

use kube::api::{Patch, PatchParams};
use memcached_operator::crd::Memcached;
use serde_json::{Value, json};

use crate::support::harness;

#[tokio::test]
async fn defaults_are_filled_in() {
    let Some(harness) = harness("the API server fills in defaults").await else { return };
    let created = harness.create("plain", json!({})).await.expect("an empty spec is fine");
    let spec = serde_json::to_value(&created.spec).expect("JSON");
    let expected = json!({"replicas": 1, "memoryLimitMegabytes": 64, "maxConnections": 1024, "threads": 4});
    assert_eq!(spec, expected);
}

#[tokio::test]
async fn nonsense_is_refused_with_a_sentence() {
    let Some(harness) = harness("only the API server evaluates CEL rules").await else { return };
    let cases: Vec<(Value, &str)> = vec![
        (json!({"image": "a:1", "version": "1.6.39"}), "set either image or version, not both"),
        (
            json!({"memoryLimitMegabytes": 512, "resources": {"limits": {"memory": "512Mi"}}}),
            "memoryLimitMegabytes must be smaller than resources.limits.memory",
        ),
        (
            json!({"memoryLimitMegabytes": 512, "resources": {"limits": {"memory": 536_870_912}}}),
            "memoryLimitMegabytes must be smaller than resources.limits.memory",
        ),
        (json!({"extraArgs": ["-m", "5"]}), "extraArgs may not set what the operator manages"),
        (json!({"extraArgs": ["-vm512"]}), "extraArgs may not set what the operator manages"),
        (json!({"extraArgs": ["--port=1"]}), "extraArgs may not set what the operator manages"),
        (json!({"extraArgs": ["-c1"]}), "extraArgs may not set what the operator manages"),
        (json!({"version": "latest"}), "version must look like 1.6.39"),
        (json!({"replicas": -1}), "should be greater than or equal to 0"),
        (json!({"replicas": 101}), "should be less than or equal to 100"),
        (json!({"threads": 0}), "should be greater than or equal to 1"),
        (json!({"memoryLimitMegabytes": 7}), "should be greater than or equal to 8"),
        (json!({"resources": {"limits": {"memory": "lots"}}}), "should match"),
    ];
    for (spec, phrase) in cases {
        let error = harness.create("nonsense", spec.clone()).await.expect_err(phrase).to_string();
        assert!(error.contains(phrase), "{spec}: {phrase:?} is missing in {error}");
    }
    let long = "a".repeat(53);
    for name in ["1st", "with.dots", long.as_str()] {
        let error = harness.create(name, json!({})).await.expect_err(name).to_string();
        assert!(error.contains("use at most 52 lower case letters"), "{name}: {error}");
    }
}

#[tokio::test]
async fn sense_is_accepted() {
    let Some(harness) = harness("only the API server evaluates CEL rules").await else { return };
    for (name, spec) in [
        ("image", json!({"image": "registry.example.com:5000/team/memcached@sha256:0123"})),
        ("version", json!({"version": "1.6.39-alpine3.22"})),
        (
            "memory",
            json!({"memoryLimitMegabytes": 512, "resources": {"limits": {"memory": "600Mi", "cpu": 2}}}),
        ),
        ("args", json!({"extraArgs": ["-I", "4m", "-vv", "-o", "modern", "--max-reqs-per-event=50"]})),
        ("none", json!({"replicas": 0})),
        (
            "numbers",
            json!({"resources": {"limits": {"memory": 134_217_728, "cpu": 1}, "requests": {"cpu": "0.5"}}}),
        ),
    ] {
        harness.create(name, spec).await.expect(name);
        harness.reconcile(name).await.expect(name);
    }
}

#[tokio::test]
async fn the_bucket_is_written_once() {
    let Some(harness) = harness("only the API server evaluates transition rules").await else { return };
    harness.create("fixed", json!({})).await.expect("created");
    let write = async |bucket: Value| {
        let patch = json!({"status": {"bucket": bucket}});
        harness.api::<Memcached>().patch_status("fixed", &PatchParams::default(), &Patch::Merge(&patch)).await
    };
    write(json!(17)).await.expect("the first write");
    write(json!(17)).await.expect("the same again");
    for other in [json!(18), Value::Null] {
        let error = write(other).await.expect_err("another bucket").to_string();
        assert!(error.contains("status.bucket is set once and never changes"), "{error}");
    }
}

#[tokio::test]
async fn scales_through_its_subresource() {
    let Some(harness) = harness("the API server maps the scale subresource").await else { return };
    harness.create("elastic", json!({"replicas": 2})).await.expect("created");
    harness.reconcile("elastic").await.expect("reconciled");
    let api = harness.api::<Memcached>();
    let scale = api.get_scale("elastic").await.expect("a scale");
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(2));
    let selector = scale.status.and_then(|status| status.selector);
    let expected = "cache.example.com/memcached=elastic";
    assert_eq!(selector.as_deref(), Some(expected));
    let patch = json!({"spec": {"replicas": 5}});
    api.patch_scale("elastic", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("scaled");
    assert_eq!(api.get("elastic").await.expect("there").spec.replicas, 5);
}

#[tokio::test]
async fn the_sample_is_accepted_and_valid() {
    let Some(harness) = harness("the API server validates the sample").await else { return };
    let sample: Value = serde_saphyr::from_str(include_str!("../../../../deploy/sample.yaml")).expect("YAML");
    harness.create("sessions", sample["spec"].clone()).await.expect("accepted");
    harness.reconcile("sessions").await.expect("reconciled");
    assert_eq!(harness.status("sessions").await.ready.as_deref(), Some("0/3"));
}

/// The operator may be down. To kstatus a resource that says nothing is ready.
#[tokio::test]
async fn a_resource_that_nobody_has_looked_at_says_so() {
    let Some(harness) = harness("the API server applies defaults").await else { return };
    let created = harness.create("unseen", json!({})).await.expect("created");
    let listed = harness.api::<Memcached>().get("unseen").await.expect("there");
    for resource in [created, listed] {
        let conditions = resource.status.unwrap_or_default().conditions;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "Pending"));
    }
}

/// An empty Helm value is a null, and anybody who may write the status may write a time.
#[tokio::test]
async fn a_null_is_dropped_and_a_time_that_no_client_reads_is_refused() {
    let Some(harness) = harness("only the API server drops nulls and judges formats").await else { return };
    let nulls =
        json!({"resources": {"limits": {"cpu": null, "memory": null}, "requests": null}, "image": null});
    let created = harness.create("nulls", nulls).await.expect("what is null is absent");
    let limits = created.spec.resources.expect("there is an object").limits.expect("and another");
    assert!(limits.is_empty() && created.spec.image.is_none(), "{limits:?}");
    let memcacheds = harness.api::<Memcached>();
    for (time, accepted) in [
        (json!("2026-01-01T00:00:00+99:99"), false),
        (json!("9999-12-31T23:59:59Z"), false),
        (json!("2026-02-29T00:00:00Z"), false),
        (json!("2024-02-29T00:00:00Z"), true),
        // Accepted where the definition says `format: date-time`.
        (json!([]), false),
        (json!("2026-01-01T00:00:00.123456789+05:30"), true),
    ] {
        let condition = json!({"type": "Approved", "status": "True", "reason": "ByHand", "message": "", "lastTransitionTime": time});
        let patch = Patch::Merge(json!({"status": {"conditions": [condition]}}));
        let written = memcacheds.patch_status("nulls", &PatchParams::default(), &patch).await;
        // Refused by the server: an answer that does not decode would be an error, too.
        let refused = matches!(&written, Err(kube::Error::Api(answer)) if answer.code == 422);
        assert_eq!((written.is_ok(), refused), (accepted, !accepted), "{time}: {written:?}");
    }
    // By `format: int32` alone it would be refused, too, in a sentence that does not say which number.
    let many = Patch::Merge(json!({"status": {"replicas": 3_000_000_000_u32}}));
    let refused =
        memcacheds.patch_status("nulls", &PatchParams::default(), &many).await.expect_err("too many");
    assert!(refused.to_string().contains("should be less than or equal to 2147483647"), "{refused}");
}
