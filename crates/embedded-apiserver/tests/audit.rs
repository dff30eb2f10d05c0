//! The audit log of the embedded server says of each write what the real one's says, but for who was authenticated.

use bytes::Bytes;
use http::{Method, Request, header};
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, TestUser};
use serde_json::{Value, json};

const AGENT: &str = "audited/1.0 (pod-0_1234)";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

#[tokio::test]
async fn the_lines_are_those_of_the_real_server() {
    let options = |backend| ClusterOptions { backend: Some(backend), ..ClusterOptions::default() };
    let local =
        kube_testkit::exclusive("it writes the audit log to compare with", options(BackendChoice::Local));
    let Some(local) = local.await else { return };
    let embedded = Cluster::start(options(BackendChoice::Embedded)).await.expect("it needs nothing");
    let (real, ours) = (lines(&local).await, lines(&embedded).await);
    assert!(!real.is_empty());
    for (real, ours) in real.iter().zip(&ours) {
        assert_eq!(real, ours, "the real server's line, and the embedded one's");
    }
    assert_eq!(real.len(), ours.len(), "lines");
    local.stop().await;
}

/// Has each request answered, and returns what the audit log says of them.
async fn lines(cluster: &Cluster) -> Vec<Value> {
    let mut config = cluster.config(&TestUser::admin());
    config.headers.push((header::USER_AGENT, header::HeaderValue::from_static(AGENT)));
    let client = kube::Client::try_from(config).expect("a configuration made there is complete");
    for (method, uri, content_type, body) in requests() {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, content_type);
        let request = request.body(kube::client::Body::from(Bytes::from(body))).expect("a request");
        client.send(request).await.expect("an answer");
    }
    let log =
        std::fs::read_to_string(cluster.audit_log().expect("audit is on by default")).expect("audit log");
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["userAgent"] == AGENT).map(comparable).collect()
}

fn requests() -> Vec<(Method, String, &'static str, Value)> {
    const JSON: &str = "application/json";
    let map = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lease"}, "spec": {"holderIdentity": "a"}});
    let labels = json!({"matchLabels": {"a": "b"}});
    let containers = json!({"containers": [{"name": "c", "image": "i"}]});
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": containers});
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "set"},
        "spec": {"serviceName": "s", "selector": labels, "template": template}});
    let one = format!("{MAPS}/one");
    let stale = map(json!({"name": "one", "resourceVersion": "1"}));
    let stranger = json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}});
    vec![
        (Method::POST, MAPS.into(), JSON, map(json!({"name": "one"}))),
        (Method::POST, MAPS.into(), JSON, map(json!({"name": "one"}))),
        (Method::POST, format!("{MAPS}?dryRun=All"), JSON, map(json!({"name": "dry"}))),
        (Method::GET, one.clone(), JSON, Value::Null),
        (Method::PUT, one.clone(), JSON, stale),
        (Method::PUT, one.clone(), JSON, map(json!({"name": "one"}))),
        (Method::PATCH, one.clone(), "application/merge-patch+json", json!({"data": {"a": "b"}})),
        (Method::PATCH, one.clone(), "application/merge-patch+json", stranger),
        (Method::PATCH, format!("{MAPS}/none"), "application/merge-patch+json", json!({})),
        (
            Method::PATCH,
            format!("{LEASES}/lease?fieldManager=me&force=true"),
            "application/apply-patch+yaml",
            lease,
        ),
        (Method::POST, SETS.into(), JSON, set),
        (
            Method::PATCH,
            format!("{SETS}/set/status"),
            "application/merge-patch+json",
            json!({"status": {"replicas": 1}}),
        ),
        (Method::DELETE, one.clone(), JSON, Value::Null),
        (Method::DELETE, one, JSON, Value::Null),
        (Method::DELETE, LEASES.into(), JSON, Value::Null),
    ]
}

/// Without what differs from run to run, and what only one of the two knows.
fn comparable(mut event: Value) -> Value {
    for key in ["uid", "resourceVersion"] {
        if let Some(value) = event["objectRef"].get_mut(key) {
            *value = json!("some");
        }
    }
    let kept = ["kind", "apiVersion", "stage", "requestURI", "verb", "userAgent", "objectRef"];
    let mut line: serde_json::Map<_, _> =
        kept.map(|key| (key.to_owned(), event[key].take())).into_iter().collect();
    let status = ["code", "status", "reason", "message"].map(|key| event["responseStatus"][key].take());
    line.insert("status".into(), json!(status));
    line.into()
}
