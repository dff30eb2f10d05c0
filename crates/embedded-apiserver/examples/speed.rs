//! How many requests a second the embedded API server carries out, without any network:
//! `cargo run --release -p embedded-apiserver --example speed`.
//!
//! Figures to compare on one machine, before and after a change. What is measured is what simulations spend their time on.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use embedded_apiserver::{Answer, Machine, Reply, WallSeams, Watch};
use http::Request;
use serde_json::{Value, json};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const THINGS: &str = "/apis/example.com/v1/namespaces/default/things";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(2);

fn main() {
    let mut machine = Machine::new(Arc::new(WallSeams::new(7)));
    populate(&mut machine);

    measure("update of a Lease", |round| {
        put_lease(&mut machine, round);
        1
    });
    let mut watches: Vec<Watch> = (0..20).map(|_| watch(&mut machine)).collect();
    for watch in &mut watches {
        machine.next_lines(watch);
    }
    measure("update of a Lease, shown to 20 watches", |round| {
        put_lease(&mut machine, round);
        for watch in &mut watches {
            assert_eq!(black_box(machine.next_lines(watch)).len(), 1);
        }
        1
    });
    measure("server-side apply of a StatefulSet, nothing new", |_| {
        send(
            &mut machine,
            "PATCH",
            &format!("{SETS}/set?fieldManager=m&force=true"),
            APPLY,
            &stateful_set(1),
        );
        1
    });
    measure("server-side apply of a StatefulSet, one change", |round| {
        let set = stateful_set(2 + round % 2);
        send(&mut machine, "PATCH", &format!("{SETS}/set?fieldManager=m&force=true"), APPLY, &set);
        1
    });
    measure("merge patch of a custom resource's status", |round| {
        let uri = format!("{THINGS}/thing-1/status?fieldManager=m");
        send(&mut machine, "PATCH", &uri, MERGE, &json!({"status": {"seen": round}}));
        1
    });
    measure("list by label of 100 among 200 custom resources", |_| {
        let answer =
            send(&mut machine, "GET", &format!("{THINGS}?labelSelector=half%3D1"), JSON, &Value::Null);
        assert!(answer.body.len() > 100);
        1
    });
    measure("garbage collection, 1,000 objects, after an update", |round| {
        put_lease(&mut machine, round);
        assert_eq!(machine.collect_garbage(), 0);
        1
    });
    measure("garbage collection, 1,000 objects, after an owner's end", |_| {
        let owner = create(&mut machine, MAPS, &json!({"metadata": {"name": "owner"}}));
        let reference = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"],
        });
        for index in 0..3 {
            let child =
                json!({"metadata": {"name": format!("child-{index}"), "ownerReferences": [reference]}});
            create(&mut machine, MAPS, &child);
        }
        send(&mut machine, "DELETE", &format!("{MAPS}/owner"), JSON, &Value::Null);
        assert_eq!(machine.collect_garbage(), 3);
        1
    });
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Repeats a step, which says how many requests it made, and prints how long one took.
fn measure(what: &str, mut step: impl FnMut(u64) -> u32) {
    let start = Instant::now();
    let (mut rounds, mut done) = (0, 0);
    while start.elapsed() < MEASURED {
        rounds += 1;
        done += step(rounds);
    }
    let each = start.elapsed() / done;
    println!("{what:<56} {each:>12.1?} {:>9.0} a second", 1.0 / each.as_secs_f64());
}

/// A definition, 200 custom resources, a StatefulSet, a Lease, and ConfigMaps up to 1,000 objects, each with an owner.
fn populate(machine: &mut Machine) {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}});
    let version = json!({
        "name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}},
    });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
            "versions": [version],
        },
    });
    create(machine, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
    let mut owner = Value::Null;
    for index in 0..200 {
        owner = create(
            machine,
            THINGS,
            &json!({
                "apiVersion": "example.com/v1", "kind": "Thing",
                "metadata": {"name": format!("thing-{index}"), "labels": {"half": (index % 2).to_string()}},
                "spec": {"replicas": 3, "image": "x", "args": ["-v"]},
            }),
        );
    }
    create(machine, LEASES, &json!({"metadata": {"name": "lease"}, "spec": {"holderIdentity": ""}}));
    let reference = json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "name": "thing-199", "uid": owner["metadata"]["uid"],
    });
    send(machine, "PATCH", &format!("{SETS}/set?fieldManager=m&force=true"), APPLY, &stateful_set(1));
    let mut index = 0;
    while machine.len() < 1_000 {
        let map = json!({"metadata": {"name": format!("map-{index}"), "ownerReferences": [reference]}, "data": {"a": "b"}});
        create(machine, MAPS, &map);
        index += 1;
    }
}

fn put_lease(machine: &mut Machine, round: u64) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "lease", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {
            "holderIdentity": "pod-1", "leaseDurationSeconds": 15, "leaseTransitions": round % 1_000,
            "acquireTime": "2026-01-01T00:00:00.000000Z",
        },
    });
    let version = send(machine, "GET", &format!("{LEASES}/lease"), JSON, &Value::Null);
    let mut lease = lease;
    let version: Value = serde_json::from_slice(&version.body).expect("JSON");
    lease["metadata"]["resourceVersion"] = version["metadata"]["resourceVersion"].clone();
    send(machine, "PUT", &format!("{LEASES}/lease"), JSON, &lease);
}

fn stateful_set(replicas: u64) -> Value {
    let probe = json!({"tcpSocket": {"port": "memcached"}, "periodSeconds": 5});
    let container = json!({
        "name": "memcached", "image": "memcached:1.6", "args": ["-m", "64"], "livenessProbe": probe,
        "readinessProbe": probe, "ports": [{"containerPort": 11211, "name": "memcached"}],
        "resources": {"limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "set", "labels": {"a": "b"}},
        "spec": {
            "replicas": replicas, "serviceName": "set", "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}},
        },
    })
}

fn create(machine: &mut Machine, uri: &str, object: &Value) -> Value {
    serde_json::from_slice(&send(machine, "POST", uri, JSON, object).body).expect("JSON")
}

fn watch(machine: &mut Machine) -> Watch {
    match machine.handle(&request("GET", &format!("{LEASES}?watch=true"), JSON, &Value::Null)) {
        Reply::Watch(watch) => watch,
        Reply::Answer(answer) => panic!("no watch: {answer:?}"),
    }
}

fn send(machine: &mut Machine, method: &str, uri: &str, media: &str, body: &Value) -> Answer {
    match machine.handle(&request(method, uri, media, body)) {
        Reply::Answer(answer) if answer.status < 300 => answer,
        other => panic!("{method} {uri}: {other:?}"),
    }
}

fn request(method: &str, uri: &str, media: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let request = Request::builder().method(method).uri(uri).header("content-type", media);
    request.header("user-agent", "speed/1").body(body).expect("a request")
}
