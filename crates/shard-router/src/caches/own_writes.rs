//! Writes of reconciles that the watches have not shown yet.

use std::{collections::BTreeMap, sync::Arc};

use http::{Request, Response};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Client, client::Body};
use serde::Deserialize;
use tower::BoxError;

use super::Caches;
use crate::{observability::requests::Target, sharded::qualified};

/// A write of an object of a watched type.
#[derive(Debug)]
pub(super) struct OwnWrite {
    pub(super) kind: usize,
    pub(super) watch: usize,
    /// The resourceVersion in the answer.
    pub(super) version: u64,
    /// How many lists had been begun when it was answered.
    pub(super) lists_begun: u64,
}

/// Writes by resource (`namespace/name`, or `name`). An entry is removed when all its writes have been shown, or when the resource is deleted.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(BTreeMap<String, Vec<OwnWrite>>);

impl OwnWrites {
    /// A newer write replaces older ones of the same watch, because it is shown last.
    pub(super) fn add(&mut self, cr: String, write: OwnWrite) {
        let writes = self.0.entry(cr).or_default();
        writes.retain(|older| {
            (older.kind, older.watch) != (write.kind, write.watch) || older.version > write.version
        });
        writes.push(write);
    }

    /// Whether all writes for the resource have been shown.
    pub(super) fn all_shown(&mut self, cr: &str, is_shown: impl Fn(&OwnWrite) -> bool) -> bool {
        let Some(writes) = self.0.get_mut(cr) else { return true };
        writes.retain(|write| !is_shown(write));
        let done = writes.is_empty();
        if done {
            self.0.remove(cr);
        }
        done
    }

    pub(super) fn forget(&mut self, cr: &str) {
        self.0.remove(cr);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The parts of the answer to a write that are needed here.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    resource_version: Option<String>,
    #[serde(default)]
    owner_references: Vec<OwnerReference>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Written {
    /// As `namespace/name`, or `name`.
    pub(super) fn name(&self) -> String {
        qualified(self.namespace(), &self.metadata.name)
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.metadata.namespace.as_deref()
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.metadata.resource_version.as_ref()?.parse().ok()
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.get(key).map(String::as_str)
    }

    pub(super) fn owners(&self) -> &[OwnerReference] {
        &self.metadata.owner_references
    }
}

/// A client whose accepted writes are recorded, except for deletions, because their answers need not contain the version.
pub(crate) fn recorded(client: Client, caches: Arc<Caches>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |request: Request<Body>| {
        let (client, caches) = (client.clone(), caches.clone());
        async move {
            let resource = written_resource(&request);
            let answer = client.send(request).await?;
            match resource {
                Some(resource) if answer.status().is_success() => noted(answer, &resource, &caches).await,
                _ => Ok::<_, BoxError>(answer),
            }
        }
    };
    Client::new(tower::service_fn(send), namespace)
}

/// The type that a request writes, as `plural.group`: the object itself, or a subresource of it.
fn written_resource<B>(request: &Request<B>) -> Option<String> {
    let target = Target::of(request)?;
    let is_tried_only = request.uri().query().is_some_and(|query| query.contains("dryRun="));
    if is_tried_only || !matches!(target.verb, "create" | "update" | "patch") {
        return None;
    }
    Some(match target.resource.split_once('/') {
        None => target.resource,
        Some((plural, sub)) => match sub.split_once('.') {
            Some((_, group)) => format!("{plural}.{group}"),
            None => plural.to_owned(),
        },
    })
}

/// Reads the body of the answer and puts it back. The caller would read it anyway.
async fn noted(answer: Response<Body>, resource: &str, caches: &Caches) -> Result<Response<Body>, BoxError> {
    let (head, body) = answer.into_parts();
    let body = body.collect_bytes().await?;
    if let Ok(written) = serde_json::from_slice::<Written>(&body) {
        caches.wrote(resource, &written);
    }
    Ok(Response::from_parts(head, Body::from(body)))
}
