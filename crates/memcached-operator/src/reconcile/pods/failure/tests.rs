use super::*;
use serde_json::{Value, json};

const OWNER: &str = "set-1";

fn pod(name: &str, status: impl Into<Value>) -> Pod {
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": OWNER, "controller": true});
    let pod = json!({"metadata": {"name": name, "ownerReferences": [owner]}, "status": status.into()});
    serde_json::from_value(pod).expect("a Pod")
}

/// The status of a Pod whose only container is in this state.
fn container(state: impl Into<Value>, restarts: i32, last: impl Into<Value>) -> Value {
    json!({"containerStatuses": [{
        "name": "memcached", "image": "memcached:9", "imageID": "", "ready": false, "restartCount": restarts,
        "state": state.into(), "lastState": last.into(),
    }]})
}

fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": "back-off 10s restarting failed container"}})
}

fn ended(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}})
}

fn told(status: impl Into<Value>) -> Option<(&'static str, String)> {
    of_pods(&[pod("web-0", status)], OWNER).map(|failure| (failure.reason, failure.message))
}

#[test]
fn an_image_that_cannot_be_pulled_is_one_failure_at_and_between_attempts() {
    let said = ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"]
        .map(|reason| told(container(waiting(reason), 0, json!({}))).expect("a failure"));
    assert_eq!(said[0].0, "ImagePullBackOff");
    assert_eq!(
        said[0].1,
        "image memcached:9 of container memcached of Pod web-0 cannot be pulled; the events of the Pod say why"
    );
    assert!(said.iter().all(|other| *other == said[0]), "{said:?}");
}

#[test]
fn a_crash_loop_is_one_failure_in_each_of_its_states() {
    let crash = || ended(137, "OOMKilled");
    let states = [
        container(waiting("CrashLoopBackOff"), 1, crash()),
        container(running(), 2, crash()),
        container(crash(), 1, json!({})),
        container(waiting("CrashLoopBackOff"), 40, crash()),
        container(waiting("RunContainerError"), 3, crash()),
    ];
    for state in states {
        let (reason, message) = told(state.clone()).unwrap_or_else(|| panic!("{state} is no failure"));
        assert_eq!(reason, "CrashLoopBackOff");
        assert_eq!(
            message,
            "container memcached of Pod web-0 keeps crashing, last with exit code 137 (OOMKilled); its log says why"
        );
    }
    let (_, message) = told(container(waiting("CrashLoopBackOff"), 1, ended(1, "Error"))).expect("a failure");
    assert!(message.contains("last with exit code 1;"), "{message}");
    let (_, message) = told(container(waiting("CrashLoopBackOff"), 1, json!({}))).expect("a failure");
    assert!(message.contains("keeps crashing;"), "{message}");
}

#[test]
fn what_may_still_become_ready_is_no_failure() {
    for state in [
        json!({}),
        container(waiting("ContainerCreating"), 0, json!({})),
        container(waiting("PodInitializing"), 0, json!({})),
        container(json!({"waiting": {}}), 0, json!({})),
        container(running(), 0, json!({})),
        // After a restart of its node, for instance.
        container(running(), 1, ended(255, "Unknown")),
        // It ended for the first time, and is about to be started again.
        container(ended(1, "Error"), 0, json!({})),
    ] {
        assert_eq!(told(state.clone()), None, "{state}");
    }
    let mut ready = container(running(), 7, ended(1, "Error"));
    ready["containerStatuses"][0]["ready"] = json!(true);
    assert_eq!(told(ready), None, "it has recovered");
}

#[test]
fn any_other_reason_to_wait_is_named() {
    let (reason, message) =
        told(container(waiting("CreateContainerConfigError"), 0, json!({}))).expect("a failure");
    assert_eq!(reason, "ContainerCannotStart");
    assert!(message.contains("cannot start (CreateContainerConfigError)"), "{message}");
}

#[test]
fn a_pod_that_no_node_takes_says_what_the_scheduler_says() {
    let condition = |type_: &str, status: &str, reason: &str| {
        json!({"conditions": [{"type": type_, "status": status, "reason": reason,
            "message": "0/3 nodes are available: 3 Insufficient memory."}]})
    };
    let failure = of_pods(&[pod("web-0", condition("PodScheduled", "False", "Unschedulable"))], OWNER);
    let expected = "Pod web-0 cannot be scheduled: 0/3 nodes are available: 3 Insufficient memory";
    let failure = failure.expect("a failure");
    assert_eq!((failure.reason, failure.message.as_str()), ("Unschedulable", expected));
    assert!(failure.is_quote, "numbers of nodes change");
    assert_eq!(told(condition("PodScheduled", "False", "SchedulingGated")), None, "somebody means to wait");
    assert_eq!(told(condition("PodScheduled", "True", "Unschedulable")), None);
    assert_eq!(told(condition("Ready", "False", "Unschedulable")), None);
}

#[test]
fn init_containers_that_others_add_count_until_they_have_succeeded() {
    let init = |state: Value, restarts| {
        let mut status = container(waiting("PodInitializing"), 0, json!({}));
        let added = container(state, restarts, json!({}))["containerStatuses"].take();
        status["initContainerStatuses"] = added;
        status["initContainerStatuses"][0]["name"] = json!("mesh");
        status
    };
    let (reason, message) = told(init(waiting("ErrImagePull"), 0)).expect("a failure");
    assert_eq!(reason, "ImagePullBackOff");
    assert!(message.contains("container mesh"), "{message}");
    assert_eq!(told(init(ended(1, "Error"), 1)).expect("a failure").0, "CrashLoopBackOff");
    assert_eq!(told(init(ended(0, "Completed"), 1)), None);
}

#[test]
fn the_first_pod_that_fails_is_told_by_its_number() {
    let fails = || container(waiting("ErrImagePull"), 0, json!({}));
    let pods =
        [pod("web-10", fails()), pod("web-2", fails()), pod("web-0", container(running(), 0, json!({})))];
    let failure = of_pods(&pods, OWNER).expect("a failure");
    assert!(failure.message.contains("Pod web-2 "), "{}", failure.message);
}

#[test]
fn pods_of_others_and_those_on_their_way_out_do_not_count() {
    let fails = || container(waiting("ErrImagePull"), 0, json!({}));
    assert_eq!(of_pods(&[pod("web-0", fails())], "set-2"), None, "of a predecessor of the same name");
    let mut alone = pod("web-0", fails());
    alone.metadata.owner_references = None;
    assert_eq!(of_pods(&[alone], OWNER), None, "made by hand, with our label");
    let mut guest = pod("web-0", fails());
    guest.metadata.owner_references.as_mut().expect("owners")[0].controller = None;
    assert_eq!(of_pods(&[guest], OWNER), None, "controlled by somebody else");
    let mut leaving = pod("web-0", fails());
    leaving.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-01-02T03:04:05Z")).expect("a time"));
    assert_eq!(of_pods(&[leaving], OWNER), None, "its successor comes");
}
