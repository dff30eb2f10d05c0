//! What `kubectl` and kube's discovery ask before they ask for anything else.

mod aggregated;
mod open_api;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::answer::Answer;
use super::catalogue::Catalogue;
use super::refusal::Refusal;
use super::resource::ResourceType;

/// The version that the server says it is.
const VERSION: &str = "v1.37.2";

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];

/// Answers everything that is not a resource.
pub(super) fn answer(
    catalogue: &Catalogue,
    request: &Request<Bytes>,
    parts: &[String],
) -> Result<Answer, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::no_such_path());
    }
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let (["api" | "apis"], true) = (words.as_slice(), aggregated::is_wanted(request.headers())) {
        let body = aggregated::groups(catalogue, words == ["api"]);
        return Ok(Answer { status: 200, content_type: aggregated::MEDIA, body: body.to_string().into() });
    }
    let body = match words.as_slice() {
        ["version"] => version(),
        ["healthz" | "livez" | "readyz", ..] => return Ok(text("ok")),
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "embedded"}],
        }),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(catalogue)}),
        ["apis", group] => {
            let found = groups(catalogue).into_iter().find(|known| known["name"] == *group);
            let mut found = found.ok_or_else(Refusal::no_such_path)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found
        }
        ["api", version] => resources(catalogue, "", version)?,
        ["apis", group, version] => resources(catalogue, group, version)?,
        ["openapi", "v3", rest @ ..] => open_api::answer(catalogue, rest)?,
        ["openapi", "v2"] if open_api::v2_is_wanted_as_protobuf(request.headers()) => {
            return Ok(Answer { status: 200, content_type: open_api::V2_MEDIA, body: open_api::V2.into() });
        }
        ["openapi", ..] => return Err(Refusal::not_supported("OpenAPI v2 documents in JSON; use v3")),
        ["metrics" | "logs" | "debug", ..] => {
            return Err(Refusal::not_supported(&format!("/{}", words.join("/"))));
        }
        _ => return Err(Refusal::no_such_path()),
    };
    Ok(Answer { status: 200, content_type: "application/json", body: body.to_string().into() })
}

fn text(body: &'static str) -> Answer {
    Answer {
        status: 200,
        content_type: "text/plain; charset=utf-8",
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "37", "gitVersion": format!("{VERSION}+embedded"), "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "embedded",
    })
}

/// The named groups in order, each with its versions.
fn groups(catalogue: &Catalogue) -> Vec<Value> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for kind in catalogue.all().filter(|kind| !kind.group.is_empty()) {
        if !names.contains(&(&kind.group, &kind.version)) {
            names.push((&kind.group, &kind.version));
        }
    }
    names
        .into_iter()
        .map(|(group, version)| {
            let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect()
}

fn resources(catalogue: &Catalogue, group: &str, version: &str) -> Result<Value, Refusal> {
    if !catalogue.has_version(group, version) {
        return Err(if Catalogue::is_real_group(group) {
            Refusal::not_supported(&format!("the API version {group}/{version}"))
        } else {
            Refusal::no_such_path()
        });
    }
    let kinds = catalogue.all().filter(|kind| kind.group == group && kind.version == version);
    let list: Vec<Value> = kinds.flat_map(|kind| entries(kind)).collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list,
    }))
}

/// The resource and its subresources.
fn entries(kind: &ResourceType) -> Vec<Value> {
    let mut resource = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": VERBS,
    });
    for (field, words) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
        if !words.is_empty() {
            resource[field] = json!(words);
        }
    }
    let mut all = vec![resource];
    if kind.status {
        all.push(json!({
            "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": SUBRESOURCE_VERBS,
        }));
    }
    if kind.scale.is_some() {
        all.push(json!({
            "name": format!("{}/scale", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": SUBRESOURCE_VERBS,
        }));
    }
    all
}
