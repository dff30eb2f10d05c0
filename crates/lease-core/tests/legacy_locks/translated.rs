//! ConfigMaps or Endpoints shown as Leases, so that the tests of Leases can look at them and edit them. It shares no code with the driver.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use kube_testkit::RealEnv;
use lease_core::{RECORD_ANNOTATION, ResourceLock};
use serde_json::{Map, Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Result<Response<UnsyncBoxBody<Bytes, Error>>, Error>;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/";

/// A client of an administrator to which the objects of this lock are Leases.
pub(crate) fn client(env: &RealEnv, lock: ResourceLock) -> Client {
    let inner = env.admin();
    let route = move |request: Request<Body>| translated(inner.clone(), lock, request);
    Client::new(tower::service_fn(route), env.namespace())
}

async fn translated(client: Client, lock: ResourceLock, request: Request<Body>) -> Answer {
    let uri = request.uri().to_string();
    let place = uri.split_once(LEASES).expect("only Leases are asked for").1;
    let uri = format!("/api/v1/namespaces/{}", place.replacen("/leases", &format!("/{lock}"), 1));
    if uri.contains("watch=true") {
        return watched(client, &uri).await;
    }
    let (parts, body) = request.into_parts();
    let body: Value = match body.collect().await?.to_bytes() {
        body if body.is_empty() => Value::Null,
        body => serde_json::from_slice(&body)?,
    };
    // An edit of the record has to read it first. Whoever was faster makes it start over.
    loop {
        let body = match parts.method {
            Method::POST | Method::PUT => as_object(body.clone(), lock, Map::new()),
            Method::PATCH if body.get("spec").is_some() => {
                let (_, before) = sent(&client, Method::GET, &uri, &Value::Null).await?;
                let record = record(&before).unwrap_or_default();
                let mut patch = as_object(body.clone(), lock, record);
                patch["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
                patch
            }
            _ => body.clone(),
        };
        let (status, answer) = sent(&client, parts.method.clone(), &uri, &body).await?;
        if status == StatusCode::CONFLICT && parts.method == Method::PATCH {
            continue;
        }
        let answer = serde_json::to_vec(&as_lease(answer))?;
        let answer = Full::new(Bytes::from(answer)).map_err(Error::from).boxed_unsync();
        return Ok(Response::builder().status(status).body(answer)?);
    }
}

async fn sent(
    client: &Client,
    method: Method,
    uri: &str,
    body: &Value,
) -> Result<(StatusCode, Value), Error> {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
    let request = Request::builder().method(method).uri(uri).header("Content-Type", kind);
    let answer = client.send(request.body(Body::from(body))?).await?;
    let status = answer.status();
    Ok((status, serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?))
}

/// One event a line.
async fn watched(client: Client, uri: &str) -> Answer {
    let answer = client.send(Request::get(uri).body(Body::empty())?).await?;
    let status = answer.status();
    let chunks = answer.into_body().into_data_stream().map_err(std::io::Error::other);
    let lines = futures::stream::unfold((chunks, Vec::new()), |(mut chunks, mut seen)| async move {
        loop {
            if let Some(end) = seen.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = seen.drain(..=end).collect();
                return Some((line, (chunks, seen)));
            }
            seen.extend(chunks.next().await?.ok()?);
        }
    });
    let events = lines.map(|line| {
        let mut event: Value = serde_json::from_slice(&line).expect("an event");
        event["object"] = as_lease(event["object"].take());
        let mut line = serde_json::to_vec(&event).expect("plain data");
        line.push(b'\n');
        Ok::<_, Error>(http_body::Frame::data(Bytes::from(line)))
    });
    Ok(Response::builder().status(status).body(StreamBody::new(events).boxed_unsync())?)
}

fn record(object: &Value) -> Option<Map<String, Value>> {
    serde_json::from_str(object["metadata"]["annotations"][RECORD_ANNOTATION].as_str()?).ok()
}

/// The object of a Lease, or of a patch of one: its spec, on top of `record`, becomes the annotation.
fn as_object(mut lease: Value, lock: ResourceLock, mut record: Map<String, Value>) -> Value {
    if let Some(Value::Object(spec)) = lease.as_object_mut().and_then(|lease| lease.remove("spec")) {
        record.extend(spec.into_iter().map(|(name, value)| (renamed(&name).to_owned(), value)));
        lease["metadata"]["annotations"][RECORD_ANNOTATION] = json!(Value::Object(record).to_string());
    }
    lease["apiVersion"] = json!("v1");
    lease["kind"] = json!(if lock == ResourceLock::ConfigMaps { "ConfigMap" } else { "Endpoints" });
    lease
}

/// A Lease for an object or a list of them; anything else, such as a refusal, as it is.
fn as_lease(mut object: Value) -> Value {
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = as_lease(item.take());
        }
        object["kind"] = json!("LeaseList");
        object["apiVersion"] = json!("coordination.k8s.io/v1");
    } else if object["metadata"]["uid"].is_string() {
        object["kind"] = json!("Lease");
        object["apiVersion"] = json!("coordination.k8s.io/v1");
        if let Some(record) = record(&object) {
            let spec = record.into_iter().map(|(name, value)| (renamed(&name).to_owned(), value));
            object["spec"] = Value::Object(spec.collect());
        }
    }
    object
}

/// One field has another name, in each direction.
fn renamed(field: &str) -> &str {
    match field {
        "leaseTransitions" => "leaderTransitions",
        "leaderTransitions" => "leaseTransitions",
        other => other,
    }
}
