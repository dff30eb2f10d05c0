//! What the API server answers when it does not do what was asked: a `Status` of `v1`, worded as kube-apiserver words it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fault::Fault;
use super::resource::ResourceType;

/// An answer that is an error. Nothing was changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub code: u16,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Status(Value),
    Text(String),
}

impl Refusal {
    fn status(code: u16, reason: &str, message: &str, details: Option<Value>) -> Self {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code,
        });
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        if let Some(details) = details {
            status["details"] = details;
        }
        Self { code, body: Body::Status(status) }
    }

    /// What is sent, and as which content type.
    pub(crate) fn rendered(&self) -> (String, &'static str) {
        match &self.body {
            Body::Status(status) => (status.to_string(), "application/json"),
            Body::Text(text) => (text.clone(), "text/plain; charset=utf-8"),
        }
    }

    /// The `Status`, as an `ERROR` event of a watch carries it.
    pub(crate) fn as_status(&self) -> Value {
        match &self.body {
            Body::Status(status) => status.clone(),
            Body::Text(text) => json!(text),
        }
    }

    /// This object is not there.
    pub(crate) fn not_found(kind: &ResourceType, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.qualified());
        Self::status(404, "NotFound", &message, Some(kind.details(name, &kind.plural)))
    }

    /// There is no such path.
    pub(crate) fn no_such_path() -> Self {
        Self { code: 404, body: Body::Text("404 page not found\n".into()) }
    }

    /// The API group is there, but not this resource.
    pub(crate) fn no_such_resource() -> Self {
        Self::status(404, "NotFound", "the server could not find the requested resource", Some(json!({})))
    }

    /// An object of that name is there already.
    pub(crate) fn already_exists(kind: &ResourceType, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.qualified());
        Self::status(409, "AlreadyExists", &message, Some(kind.details(name, &kind.plural)))
    }

    /// The object is not in the state that was named.
    pub(crate) fn modified(kind: &ResourceType, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// A policy denies it. Its code is that of an invalid object, its words are those of a forbidden one.
    pub(crate) fn denied(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", kind.qualified());
        Self::status(422, "Invalid", &message, Some(kind.details(name, &kind.plural)))
    }

    /// The operation does not suit the state of the object.
    pub(crate) fn conflict(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Self::status(409, "Conflict", &message, Some(kind.details(name, &kind.plural)))
    }

    /// A precondition of a deletion does not hold. The real server names the kind here instead of the resource.
    pub(crate) fn failed_precondition(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified_kind());
        Self::status(409, "Conflict", &message, Some(kind.details(name, &kind.kind)))
    }

    /// Server-side apply met fields of other managers: each with its path.
    pub(crate) fn owned_by_others(conflicts: &[(String, Vec<String>)]) -> Self {
        let causes: Vec<Value> = conflicts
            .iter()
            .flat_map(|(manager, fields)| {
                let message = format!("conflict with {manager}");
                fields.iter().map(move |field| {
                    json!({"reason": "FieldManagerConflict", "message": message, "field": field})
                })
            })
            .collect();
        let mut message = format!(
            "Apply failed with {} {}: ",
            causes.len(),
            if causes.len() == 1 { "conflict" } else { "conflicts" }
        );
        let one = conflicts.len() == 1 && conflicts[0].1.len() == 1;
        for (index, (manager, fields)) in conflicts.iter().enumerate() {
            if one {
                let _ = write!(message, "conflict with {manager}: {}", fields[0]);
                break;
            }
            let _ = write!(message, "{}conflicts with {manager}:", if index > 0 { "\n" } else { "" });
            for field in fields {
                let _ = write!(message, "\n- {field}");
            }
        }
        Self::status(409, "Conflict", &message, Some(json!({"causes": causes})))
    }

    /// The object would not be valid.
    pub(crate) fn invalid(kind: &ResourceType, name: &str, faults: &[Fault]) -> Self {
        Self::invalid_as(&kind.qualified_kind(), &kind.group, &kind.kind, name, faults)
    }

    /// The same, naming the resource instead of the kind, as the storage layer does.
    pub(crate) fn invalid_resource(kind: &ResourceType, name: &str, faults: &[Fault]) -> Self {
        Self::invalid_as(&kind.qualified(), &kind.group, &kind.plural, name, faults)
    }

    /// Options of a request that do not go together.
    pub(crate) fn invalid_options(options: &str, fault: Fault) -> Self {
        Self::invalid_as(&format!("{options}.meta.k8s.io"), "meta.k8s.io", options, "", &[fault])
    }

    fn invalid_as(qualified: &str, group: &str, kind: &str, name: &str, faults: &[Fault]) -> Self {
        let mut told: Vec<String> = Vec::new();
        for fault in faults {
            let line = format!("{}: {}", fault.field, fault.detail);
            // The real message names each fault once, while the causes repeat it.
            if !told.contains(&line) {
                told.push(line);
            }
        }
        let told = if told.len() == 1 { told.remove(0) } else { format!("[{}]", told.join(", ")) };
        let causes: Vec<Value> = faults
            .iter()
            .map(|fault| json!({"reason": fault.reason, "message": fault.detail, "field": fault.field}))
            .collect();
        let mut details = json!({"kind": kind, "causes": causes});
        for (key, value) in [("name", name), ("group", group)] {
            if !value.is_empty() {
                details[key] = json!(value);
            }
        }
        Self::status(422, "Invalid", &format!("{qualified} {name:?} is invalid: {told}"), Some(details))
    }

    /// What a patch makes of an object cannot be read.
    pub(crate) fn unreadable_patch(fault: &Fault) -> Self {
        Self::invalid_as("", "", "", "", std::slice::from_ref(fault))
    }

    /// The request makes no sense.
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::status(400, "BadRequest", message, None)
    }

    /// An error without a reason, which the real server reports as one of its own.
    pub(crate) fn internal(message: &str) -> Self {
        Self::status(500, "", message, None)
    }

    /// The resource does not know this verb.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::status(405, "MethodNotAllowed", message, Some(json!({})))
    }

    /// No such kind of body or patch.
    pub(crate) fn unsupported_media_type() -> Self {
        Self::status(415, "UnsupportedMediaType", "415: Unsupported Media Type", Some(json!({})))
    }

    /// A body in a form that nobody reads.
    pub(crate) fn unknown_format() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
            application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Self::status(415, "UnsupportedMediaType", message, None)
    }

    /// A kind of patch that custom resources don't take.
    pub(crate) fn unsupported_patch() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
            application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        Self::status(415, "UnsupportedMediaType", message, None)
    }

    /// A JSON patch that cannot be carried out.
    pub(crate) fn patch_failed() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::status(422, "Invalid", message, Some(json!({})))
    }

    /// What happened that long ago is forgotten.
    pub(crate) fn expired(message: &str) -> Self {
        Self::status(410, "Expired", message, None)
    }

    /// The pages of a list can no longer be of one state; with the token the client may go on at the newest.
    pub(crate) fn expired_page(token: &str) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start \
            a new list without the continue parameter, or use the continue token in this response to retrieve the \
            remainder of the results. Continuing with the provided token results in an inconsistent list - objects \
            that were created, modified, or deleted between the time the first chunk was returned and now may show up \
            in the list.";
        let mut refusal = Self::expired(message);
        if let Body::Status(status) = &mut refusal.body {
            status["metadata"] = json!({"continue": token});
        }
        refusal
    }

    /// The operation is not allowed now.
    pub(crate) fn forbidden(kind: &ResourceType, name: &str, why: &str, details: Option<Value>) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", kind.qualified());
        let mut all = kind.details(name, &kind.plural);
        if let Some(causes) = details {
            all["causes"] = causes;
        }
        Self::status(403, "Forbidden", &message, Some(all))
    }

    /// A resourceVersion that was never given out.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        let details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::status(504, "Timeout", &message, Some(details))
    }

    /// kube-apiserver would do this; the embedded one does not, and says so rather than guess.
    pub(crate) fn not_supported(what: &str) -> Self {
        let message = format!(
            "the embedded API server does not support {what}; run this against a real one \
             (KUBE_TESTKIT_BACKEND=local), or teach crates/embedded-apiserver to do it"
        );
        Self::status(501, "NotSupportedByEmbeddedServer", &message, None)
    }
}
