//! What those who wait for a resource make of it, by their own library: kstatus (`helm --wait`, Flux, kpt), in Go.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::CustomResourceExt as _;
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::{ReportedState, status};
use serde_json::{Value, json};
use shard_router::{Dispute, DisputeState};

fn memcached() -> Memcached {
    let resource = json!({
        "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached",
        "metadata": {"name": "sessions", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {"replicas": 2},
    });
    serde_json::from_value(resource).expect("a Memcached")
}

/// The resource after a reconcile that came to this, with so many of two servers ready.
fn after(outcome: &ReportedState, ready: Option<i32>) -> Value {
    let mut resource = memcached();
    let servers: Option<StatefulSet> = ready.map(|ready| {
        let seen =
            json!({"replicas": 2, "readyReplicas": ready, "updatedReplicas": 2, "observedGeneration": 1});
        let set =
            json!({"metadata": {"generation": 1}, "spec": {"selector": {}, "template": {}}, "status": seen});
        serde_json::from_value(set).expect("a StatefulSet")
    });
    let now = "2026-01-02T03:04:05Z".parse().expect("a time");
    resource.status = Some(status(&resource, servers.as_ref(), outcome, now));
    serde_json::to_value(&resource).expect("JSON")
}

/// The resource as the API server shows it before any replica has looked at it.
fn unseen() -> Value {
    let definition = serde_json::to_value(Memcached::crd()).expect("JSON");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut resource = serde_json::to_value(memcached()).expect("JSON");
    resource["status"] = schema["properties"]["status"]["default"].clone();
    resource
}

fn disputed(state: DisputeState) -> ReportedState {
    let time = |text: &str| text.parse().expect("a time");
    let dispute = Dispute {
        child: "Service sessions".into(),
        state,
        details: "spec.ports".into(),
        times: 2,
        since: time("2026-01-02T03:04:05Z"),
        until: time("2026-01-02T03:04:08Z"),
    };
    ReportedState::Disputed { disputes: vec![dispute], finding: None }
}

fn edited() -> Value {
    let mut resource = after(&ReportedState::Applied, Some(2));
    resource["metadata"]["generation"] = json!(2);
    resource
}

#[test]
fn kstatus_waits_for_the_servers_and_for_nothing_else() {
    let error = || "could not apply Service sessions: no".to_owned();
    let expected = [
        ("before the first look", unseen(), "InProgress"),
        ("at the first look", after(&ReportedState::Begun, None), "InProgress"),
        ("without servers", after(&ReportedState::Applied, None), "InProgress"),
        ("with none of two ready", after(&ReportedState::Applied, Some(0)), "InProgress"),
        ("with one of two ready", after(&ReportedState::Applied, Some(1)), "InProgress"),
        ("with both ready", after(&ReportedState::Applied, Some(2)), "Current"),
        ("after an edit", edited(), "InProgress"),
        ("while something fails", after(&ReportedState::Failing(error()), Some(2)), "InProgress"),
        (
            "while a child that others change waits",
            after(&disputed(DisputeState::Differs), Some(2)),
            "InProgress",
        ),
        (
            "while a child that others delete waits",
            after(&disputed(DisputeState::Missing), Some(2)),
            "InProgress",
        ),
        ("once that is restored", after(&disputed(DisputeState::Restored), Some(2)), "Current"),
        ("where admission changes a child", after(&disputed(DisputeState::Admitted), Some(2)), "Current"),
        (
            "where it does, and servers are on their way",
            after(&disputed(DisputeState::Admitted), Some(1)),
            "InProgress",
        ),
        ("when somebody has to act", after(&ReportedState::Blocked(error()), Some(2)), "Failed"),
        ("with a spec that makes no sense", after(&ReportedState::Invalid(Vec::new()), None), "Failed"),
    ];
    let Some(statuses) = kstatus(expected.iter().map(|(_, resource, _)| resource)) else { return };
    for ((when, _, expected), found) in expected.iter().zip(&statuses) {
        assert_eq!(found, expected, "{when}");
    }
    assert_eq!(statuses.len(), expected.len());
}

/// `None`, with a line that says why, where there is no Go.
fn kstatus<'a>(resources: impl Iterator<Item = &'a Value>) -> Option<Vec<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kstatus");
    let go = Command::new("go")
        .args(["run", "."])
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env_remove("GOWORK")
        .env_remove("GOFLAGS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut go) = go else {
        println!("skipped: kstatus_waits_for_the_servers_and_for_nothing_else: there is no `go` in PATH");
        return None;
    };
    let mut input = go.stdin.take().expect("it was asked for");
    for resource in resources {
        writeln!(input, "{resource}").expect("it reads");
    }
    drop(input);
    let output = go.wait_with_output().expect("it ends");
    assert!(output.status.success(), "kstatus failed: {}", output.status);
    Some(String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect())
}
