//! The audit log: who asked for which write, and how it was answered, as kube-apiserver's `--audit-log-path` has it.
//!
//! It follows the policy with which this crate starts the real server: writes only, once each, when they were answered.
//! Nobody is authenticated here, so every user is the real server's `system:anonymous`, and who wrote is what the
//! User-Agent says.

use std::io::Write;

use bytes::Bytes;
use http::{Method, Request, header};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::request::{Place, Target};
use super::seams::uid;

/// Where the lines go.
pub(super) struct Audit {
    log: Mutex<Box<dyn Write + Send>>,
}

/// When a request came, and when it had been answered.
pub(super) struct Stages {
    pub(super) received: Timestamp,
    pub(super) answered: Timestamp,
}

impl Audit {
    pub(super) fn new(log: impl Write + Send + 'static) -> Self {
        Self { log: Mutex::new(Box::new(log)) }
    }

    /// Writes the line of an answered request, if it is a write to a resource. `id` tells it from all others.
    pub(super) fn note(&self, request: &Request<Bytes>, answer: &Answer, stages: &Stages, id: u128) {
        let Some(event) = event(request, answer, stages, id) else { return };
        // In one piece, so that whoever reads meanwhile sees whole lines.
        let line = format!("{event}\n");
        let mut log = self.log.lock();
        if let Err(error) = log.write_all(line.as_bytes()).and_then(|()| log.flush()) {
            tracing::error!(%error, "a line of the audit log could not be written: the log is not complete");
        }
    }
}

fn event(request: &Request<Bytes>, answer: &Answer, stages: &Stages, id: u128) -> Option<Value> {
    let Target::Resource(place) = Target::of(request.uri().path()) else { return None };
    let agent =
        request.headers().get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Some(json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": uid(id),
        "stage": "ResponseComplete",
        "requestURI": request.uri().path_and_query().map(http::uri::PathAndQuery::as_str),
        "verb": verb(request.method(), &place)?,
        "user": {"username": "system:anonymous", "groups": ["system:unauthenticated"]},
        "userAgent": agent.unwrap_or_default(),
        "objectRef": object_ref(request, &place, answer),
        "responseStatus": response_status(request, answer),
        // To the microsecond, like the real ones.
        "requestReceivedTimestamp": format!("{:.6}", stages.received),
        "stageTimestamp": format!("{:.6}", stages.answered),
    }))
}

/// None for what only reads, or is no request that a resource takes.
fn verb(method: &Method, place: &Place) -> Option<&'static str> {
    match *method {
        Method::POST => Some("create"),
        Method::PUT => Some("update"),
        Method::PATCH => Some("patch"),
        Method::DELETE if place.name.is_none() => Some("deletecollection"),
        Method::DELETE => Some("delete"),
        _ => None,
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

/// What the request is about. uid and resourceVersion are those that the client sent, so they are preconditions.
fn object_ref(request: &Request<Bytes>, place: &Place, answer: &Answer) -> Value {
    let whole = [Method::POST, Method::PUT].contains(request.method());
    let metadata = |body: &Bytes| serde_json::from_slice::<Object>(body).unwrap_or_default().metadata;
    let sent = if whole { metadata(request.body()) } else { Metadata::default() };
    let accepted = (200..300).contains(&answer.status);
    // A generated name is known only by the answer.
    let name = place.name.clone().or(sent.name);
    let name = name.or_else(|| (whole && accepted).then(|| metadata(&answer.body).name).flatten());
    let all = [
        ("resource", Some(place.plural.clone())),
        ("namespace", place.namespace.clone()),
        ("name", name),
        ("uid", sent.uid),
        ("apiGroup", Some(place.group.clone()).filter(|group| !group.is_empty())),
        ("apiVersion", Some(place.version.clone())),
        ("resourceVersion", sent.resource_version),
        ("subresource", place.subresource.clone()),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?)))).collect()
}

/// The code, and what a `Status` says of a refusal, or of an object that is gone.
fn response_status(request: &Request<Bytes>, answer: &Answer) -> Value {
    let mut status = json!({"metadata": {}, "code": answer.status});
    if (answer.status >= 400 || request.method() == Method::DELETE)
        && let Ok(said) = serde_json::from_slice::<Value>(&answer.body)
        && said["kind"] == "Status"
    {
        for key in ["status", "message", "reason"] {
            if let Some(text) = said.get(key) {
                status[key] = text.clone();
            }
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tower::ServiceExt as _;

    use super::*;
    use crate::{EmbeddedServer, WallSeams};
    use overlap_checker::AuditLog;
    use overlap_checker::records::Replica;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const MAPS: &str = "/api/v1/namespaces/default/configmaps";
    const AGENT: &str = "memcached-operator/0.1.0 (memcached-operator-1_0b6c)";

    async fn ask(server: &EmbeddedServer, method: Method, uri: &str, body: &Value) -> u16 {
        let request = Request::builder().method(method).uri(uri).header(header::USER_AGENT, AGENT);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = http_body_util::Full::new(Bytes::from(body.to_string()));
        let answer = server.service().oneshot(request.body(body).unwrap()).await;
        answer.expect("infallible").status().as_u16()
    }

    fn map(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    }

    #[tokio::test]
    async fn each_write_is_noted_with_who_what_and_the_answer_and_no_read_is() {
        let kept = Kept::default();
        let server = EmbeddedServer::new(WallSeams::new(7)).with_audit_log(kept.clone());
        let one = format!("{MAPS}/one");
        assert_eq!(ask(&server, Method::POST, MAPS, &map("one")).await, 201);
        assert_eq!(ask(&server, Method::GET, &one, &Value::Null).await, 200);
        let mut stale = map("one");
        stale["metadata"]["resourceVersion"] = json!("1");
        assert_eq!(ask(&server, Method::PUT, &format!("{one}?dryRun=All"), &stale).await, 409);
        assert_eq!(ask(&server, Method::DELETE, MAPS, &Value::Null).await, 200);

        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        let log = AuditLog::read_str(&text);
        assert_eq!(log.malformed, 0);
        let seen: Vec<_> =
            log.events.iter().map(|event| (event.verb.as_str(), event.name.as_str(), event.code)).collect();
        assert_eq!(seen, [("create", "one", 201), ("update", "one", 409), ("deletecollection", "", 200)]);
        assert!(log.events.iter().all(|event| {
            event.replica() == Some(Replica("memcached-operator-1_0b6c".into()))
                && event.namespace == "default"
                && event.received <= event.answered
        }));
        assert!(log.events[1].is_dry_run());
        let refused: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!(refused["responseStatus"]["reason"], "Conflict");
        assert_eq!(refused["objectRef"]["resourceVersion"], "1");
    }
}
