//! What a request's body makes it depend on.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Method, Request};
use serde::Deserialize;
use serde_json::Value;

use crate::request::content_type;

/// What the body makes the request depend on. Only the few fields asked for here are read; the rest is skipped over.
pub(super) fn conditions(request: &Request<Bytes>) -> BTreeSet<String> {
    let body = request.body();
    if body.is_empty() {
        return BTreeSet::new();
    }
    let found = match (request.method(), content_type(request)) {
        (&Method::PATCH, "application/json-patch+json") => {
            serde_json::from_slice::<Vec<PatchOperation>>(body).map(|operations| {
                operations.iter().flat_map(PatchOperation::conditions).collect::<BTreeSet<_>>()
            })
        }
        (&Method::DELETE, _) => serde_json::from_slice::<DeleteOptions>(body).map(|all| all.conditions()),
        _ => serde_json::from_slice::<Written>(body).map(|all| all.metadata.conditions()),
    };
    found.unwrap_or_else(|_| BTreeSet::from(["unreadable".to_owned()]))
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    metadata: Identity,
}

/// The fields that make a write depend on what is there.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    uid: Option<Value>,
    resource_version: Option<Value>,
    generate_name: Option<Value>,
}

impl Identity {
    fn conditions(&self) -> BTreeSet<String> {
        let fields = [
            ("uid", &self.uid),
            ("resourceVersion", &self.resource_version),
            ("generateName", &self.generate_name),
        ];
        let given = fields.into_iter().filter(|(_, value)| value.as_ref().is_some_and(|value| *value != ""));
        given.map(|(name, _)| name.to_owned()).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteOptions {
    #[serde(default)]
    preconditions: Identity,
    propagation_policy: Option<String>,
    grace_period_seconds: Option<u64>,
    dry_run: Option<Vec<String>>,
}

impl DeleteOptions {
    fn conditions(&self) -> BTreeSet<String> {
        let mut found = self.preconditions.conditions();
        found.extend(self.propagation_policy.iter().map(|policy| format!("propagationPolicy={policy}")));
        found.extend(
            self.grace_period_seconds
                .iter()
                .map(|seconds| format!("gracePeriodSeconds={}", if *seconds == 0 { "0" } else { "N" })),
        );
        found.extend(self.dry_run.iter().flatten().map(|how| format!("dryRun={how}")));
        found
    }
}

#[derive(Deserialize)]
struct PatchOperation {
    op: String,
    path: String,
}

impl PatchOperation {
    fn conditions(&self) -> impl Iterator<Item = String> {
        let field = ["uid", "resourceVersion"]
            .into_iter()
            .find(|field| self.path.strip_prefix("/metadata/") == Some(field));
        std::iter::once(self.op.clone()).chain(field.map(str::to_owned))
    }
}
