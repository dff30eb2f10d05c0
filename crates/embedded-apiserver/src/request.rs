//! What is asked: the path, the options and the form of the answer.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde_json::Value;

use super::refusal::Refusal;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An object, a collection, or a subresource.
    Resource(Place),
    /// Anything else: discovery, documents, health.
    Other(Vec<String>),
}

/// A place in the tree of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Target {
    /// Reads a path.
    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let words: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match words.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Self::Other(parts),
        };
        let (namespace, rest) = match rest {
            // `namespaces/x` and `namespaces/x/status` are about the namespace itself.
            ["namespaces", namespace, plural, ..] if !["status", "finalize"].contains(plural) => {
                (Some((*namespace).to_owned()), &rest[2..])
            }
            _ => (None, rest),
        };
        let [plural, rest @ ..] = rest else { return Self::Other(parts) };
        Self::Resource(Place {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            plural: (*plural).to_owned(),
            name: rest.first().map(|name| (*name).to_owned()),
            subresource: (rest.len() > 1).then(|| rest[1..].join("/")),
        })
    }
}

/// The options in a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded_option(key), decoded_option(value))
                })
                .collect(),
        )
    }

    /// All options, as they were given.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// An option that is given and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A switch, as Go reads them.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.0.iter().any(|(key, value)| {
            key == name && !["0", "f", "F", "false", "False", "FALSE"].contains(&value.as_str())
        })
    }
}

fn decoded_option(text: &str) -> String {
    if text.contains('+') { decoded(&text.replace('+', " ")) } else { decoded(text) }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = bytes.get(index + 1..index + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|_| bytes[index] == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[index]));
        index += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// In which form the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// The object itself.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, which `kubectl get` prints.
    Table,
}

impl Form {
    /// The first form in `Accept` that is known.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for media in accept.split(',') {
            if !media.trim().starts_with("application/json") && !media.trim().starts_with("*/*") {
                continue;
            }
            if media.contains("as=Table") {
                return Self::Table;
            }
            if media.contains("as=PartialObjectMetadata") {
                return Self::Metadata;
            }
            return Self::Whole;
        }
        Self::Whole
    }
}

/// The media type of the body, without parameters.
pub(crate) fn content_type(request: &Request<Bytes>) -> &str {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/json").split(';').next().unwrap_or_default().trim()
}

/// Reads a JSON or YAML body, an empty one as null.
pub(crate) fn json_body(request: &Request<Bytes>) -> Result<Value, String> {
    if request.body().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(request.body()).map_err(|error| error.to_string())
}

/// The field manager of a write: the parameter, else the product in the User-Agent.
pub(crate) fn field_manager(request: &Request<Bytes>, query: &Query) -> String {
    if let Some(manager) = query.get("fieldManager") {
        return manager.to_owned();
    }
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let product = agent.unwrap_or_default().split('/').next().unwrap_or_default();
    let product: String = product.chars().take(128).collect();
    if product.is_empty() { "unknown".to_owned() } else { product }
}

/// Options that would change the answer and that this server does not know.
pub(crate) fn refuse_unknown_options(method: &Method, query: &Query) -> Result<(), Refusal> {
    const KNOWN: [&str; 20] = [
        "allowWatchBookmarks",
        "continue",
        "dryRun",
        "fieldManager",
        "fieldSelector",
        "fieldValidation",
        "force",
        "gracePeriodSeconds",
        "includeObject",
        "labelSelector",
        "limit",
        "orphanDependents",
        "pretty",
        "propagationPolicy",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "timeout",
        "timeoutSeconds",
        "watch",
    ];
    match query.0.iter().find(|(key, _)| !KNOWN.contains(&key.as_str())) {
        Some((key, _)) => Err(Refusal::not_supported(&format!("the option {key} of a {method}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let Target::Resource(place) = Target::of("/apis/apps/v1/namespaces/a%2Db/statefulsets/x/status")
        else {
            panic!("a resource")
        };
        assert_eq!(place.namespace.as_deref(), Some("a-b"));
        assert_eq!((place.plural.as_str(), place.subresource.as_deref()), ("statefulsets", Some("status")));
        let Target::Resource(place) = Target::of("/api/v1/namespaces/x") else { panic!("a resource") };
        assert_eq!((place.plural.as_str(), place.name.as_deref()), ("namespaces", Some("x")));
        assert!(matches!(Target::of("/apis/apps/v1"), Target::Other(_)));
    }
}
