use super::*;
use crate::reconcile::finding::PodFailure;
use crate::reconcile::testing::memcached;
use serde_json::{Value, json};

const NOW: &str = "2026-01-02T03:04:05Z";

fn servers(status: impl Into<Value>) -> StatefulSet {
    let set = json!({
        "metadata": {"name": "sessions", "generation": 2},
        "spec": {"selector": {}, "serviceName": "sessions", "template": {}},
        "status": status.into(),
    });
    serde_json::from_value(set).expect("a StatefulSet")
}

fn reported(
    memcached: &Memcached,
    servers: Option<&StatefulSet>,
    outcome: &ReportedState,
) -> MemcachedStatus {
    status(memcached, servers, outcome, NOW.parse().expect("a time"))
}

fn summary(status: &MemcachedStatus) -> String {
    let each = status.conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason));
    each.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_new_resource_is_on_its_way() {
    let status = reported(&memcached(json!({"replicas": 3})), None, &ReportedState::Applied);
    assert_eq!(
        summary(&status),
        "Ready=False RollingOut, Reconciling=True RollingOut, Stalled=False NotStalled, Available=False TooFewReady, \
         Degraded=False AsExpected"
    );
    assert_eq!(status.ready.as_deref(), Some("0/3"));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.bucket, None);
    let selector = "cache.example.com/memcached=sessions";
    assert_eq!(status.selector.as_deref(), Some(selector));
}

#[test]
fn the_stages_of_a_rollout() {
    let resource = memcached(json!({"replicas": 3}));
    for (seen, expected) in [
        (
            json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "observedGeneration": 1}),
            "Ready=False RollingOut, Reconciling=True RollingOut, Stalled=False NotStalled, Available=True AllReady",
        ),
        (
            json!({"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "observedGeneration": 2}),
            "Ready=False RollingOut, Reconciling=True RollingOut, Stalled=False NotStalled, Available=True EnoughReady",
        ),
        (
            json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "observedGeneration": 2,
                   "currentRevision": "a", "updateRevision": "b"}),
            "Ready=False RollingOut, Reconciling=True RollingOut, Stalled=False NotStalled, Available=True AllReady",
        ),
        (
            json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "observedGeneration": 2}),
            "Ready=True RolledOut, Reconciling=False RolledOut, Stalled=False NotStalled, Available=True AllReady",
        ),
    ] {
        let status = reported(&resource, Some(&servers(seen)), &ReportedState::Applied);
        assert!(summary(&status).starts_with(expected), "{} is not {expected}", summary(&status));
    }
}

#[test]
fn nothing_asked_for_is_available() {
    let seen = servers(json!({"replicas": 0, "observedGeneration": 2}));
    let status = reported(&memcached(json!({"replicas": 0})), Some(&seen), &ReportedState::Applied);
    assert!(summary(&status).starts_with("Ready=True RolledOut, Reconciling=False RolledOut, Stalled=False NotStalled, Available=True ScaledToZero"));
    assert_eq!(status.ready.as_deref(), Some("0/0"));
}

#[test]
fn an_invalid_spec_is_explained() {
    let status =
        reported(&memcached(json!({})), None, &ReportedState::Invalid(vec![Problem::ImageAndVersion]));
    let degraded = condition(&status.conditions, DEGRADED).expect("Degraded");
    assert_eq!((degraded.status.as_str(), degraded.reason.as_str()), ("True", "ValidationFailed"));
    assert!(degraded.message.contains("remove one"), "{}", degraded.message);
}

#[test]
fn what_is_said_first_is_that_it_is_looked_after() {
    let status = reported(&memcached(json!({})), None, &ReportedState::Begun);
    assert!(
        summary(&status).starts_with("Ready=False Reconciling, Reconciling=True Reconciling, Stalled=False")
    );
    assert_eq!(status.observed_generation, Some(3));
}

#[test]
fn who_has_to_act_is_told_apart_from_what_is_tried_again() {
    let blocked = reported(&memcached(json!({})), None, &ReportedState::Blocked("no".into()));
    assert!(
        summary(&blocked).starts_with("Ready=False ApplyFailed, Reconciling=False ApplyFailed, Stalled=True")
    );
    let failing = reported(&memcached(json!({})), None, &ReportedState::Failing("no".into()));
    assert!(
        summary(&failing).starts_with("Ready=False ApplyFailed, Reconciling=True Retrying, Stalled=False")
    );
}

fn not_ready(reason: &'static str, message: &str, is_quote: bool) -> ReportedState {
    ReportedState::NotReady(Finding::Failure(PodFailure { reason, message: message.into(), is_quote }))
}

#[test]
fn pods_that_fail_are_told_while_the_servers_stay_on_their_way() {
    let seen =
        servers(json!({"replicas": 1, "readyReplicas": 0, "updatedReplicas": 1, "observedGeneration": 2}));
    let outcome = not_ready("ImagePullBackOff", "image a of container b of Pod c-0 cannot be pulled", false);
    let status = reported(&memcached(json!({})), Some(&seen), &outcome);
    assert_eq!(
        summary(&status),
        "Ready=False ImagePullBackOff, Reconciling=True RollingOut, Stalled=False NotStalled, Available=False TooFewReady, \
         Degraded=True ImagePullBackOff"
    );
    for type_ in [READY, DEGRADED] {
        let said = &condition(&status.conditions, type_).expect(type_).message;
        assert_eq!(said, "Image a of container b of Pod c-0 cannot be pulled.");
    }
}

#[test]
fn numbers_are_news_in_our_own_sentences_and_none_in_those_of_kubernetes() {
    let mut resource = memcached(json!({}));
    let nodes = |count| not_ready("Unschedulable", &format!("no node takes it: 0/{count} nodes"), true);
    resource.status = Some(reported(&resource, None, &nodes(3)));
    assert!(!needs_writing(&resource, &reported(&resource, None, &nodes(4))));
    let exits = |code| not_ready("CrashLoopBackOff", &format!("it ends with exit code {code}"), false);
    resource.status = Some(reported(&resource, None, &exits(1)));
    assert!(needs_writing(&resource, &reported(&resource, None, &exits(137))));
}

#[test]
fn a_right_that_is_missing_is_said_and_degrades_nothing() {
    let answer = "pods is forbidden: User \"op\" cannot list resource \"pods\"";
    let outcome = ReportedState::NotReady(Finding::Forbidden(answer.into()));
    let status = reported(&memcached(json!({})), None, &outcome);
    assert!(
        summary(&status).starts_with("Ready=False RollingOut, Reconciling=True RollingOut, Stalled=False")
    );
    assert!(summary(&status).ends_with("Degraded=False AsExpected"));
    let ready = &condition(&status.conditions, READY).expect("Ready").message;
    assert!(ready.ends_with(&format!("The operator is not permitted to find out why: {answer}.")), "{ready}");
}

#[test]
fn the_same_error_with_another_port_or_time_is_no_news() {
    let error = |port| {
        ReportedState::Failing(format!("could not apply it: dial tcp 10.0.0.1:{port}: connection refused"))
    };
    let mut resource = memcached(json!({}));
    let first = reported(&resource, None, &error(41_234));
    resource.status = Some(first.clone());
    assert!(!needs_writing(&resource, &reported(&resource, None, &error(5))));
    let id = |id| ReportedState::Failing(format!("refused, see request {id}"));
    resource.status = Some(reported(&resource, None, &id("9f8a-bc01")));
    assert!(!needs_writing(&resource, &reported(&resource, None, &id("77e0-0d1f"))));
    resource.status = Some(first);
    let other = ReportedState::Failing("could not apply it: i/o timeout".into());
    assert!(needs_writing(&resource, &reported(&resource, None, &other)));
}

#[test]
fn transition_times_move_with_transitions_only() {
    let mut resource = memcached(json!({}));
    let mut first = reported(&resource, None, &ReportedState::Applied);
    for condition in &mut first.conditions {
        condition.last_transition_time.0 = "2025-01-01T00:00:00Z".parse().expect("a time");
    }
    resource.status = Some(MemcachedStatus { bucket: Some(17), ..first.clone() });
    let again = reported(&resource, None, &ReportedState::Applied);
    assert_eq!(again, first);
    assert!(!needs_writing(&resource, &again), "the router's bucket is no difference");

    let seen =
        servers(json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 2}));
    let ready = reported(&resource, Some(&seen), &ReportedState::Applied);
    let time = |type_| condition(&ready.conditions, type_).expect(type_).last_transition_time.0.to_string();
    assert_eq!((time(AVAILABLE), time(DEGRADED)), (NOW.into(), "2025-01-01T00:00:00Z".into()));
    assert!(needs_writing(&resource, &ready));
}
