//! The shape of a request: all in which it can differ from another so that an API server treats it differently, and
//! nothing else.
//!
//! Names, label values and numbers are no part of it; methods, resources, subresources, media types, options and
//! preconditions are. So a server that answers one request of each shape as the real one does has met every code path
//! that a user of it takes, and a shape that nobody has compared can be named.

mod conditions;

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request, header};

use super::catalogue::Catalogue;
use super::request::{Query, Target, content_type};
use super::selector::{field_operators, label_operators};
use conditions::conditions;

/// The shape of a request, as one line of text.
///
/// `PATCH apis/{group}/{version}/namespaces/{ns}/{custom}/{name}/status ct=application/merge-patch+json accept=json
/// query=fieldManager body=resourceVersion,uid` for instance. Parts that are not there are left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(String);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of request this is.
pub fn shape(request: &Request<Bytes>) -> Shape {
    let mut text = format!("{} {}", request.method(), place(request.uri().path()));
    if !request.body().is_empty() {
        let given = request.headers().contains_key(header::CONTENT_TYPE);
        text.push_str(" ct=");
        text.push_str(if given { content_type(request) } else { "none" });
    }
    text.push_str(" accept=");
    text.push_str(accepted(request.headers()));
    push_list(&mut text, "query", options(request.uri().query()));
    push_list(&mut text, "body", conditions(request));
    Shape(text)
}

/// Every shape of which the conformance suite compares at least one request with the real server's answer.
pub fn conformance_shapes() -> BTreeSet<Shape> {
    let lines = include_str!("../tests/conformance/shapes.txt").lines();
    lines.filter(|line| !line.is_empty()).map(|line| Shape(line.to_owned())).collect()
}

fn push_list(text: &mut String, name: &str, words: BTreeSet<String>) {
    for (index, word) in words.into_iter().enumerate() {
        let before = if index == 0 { format!(" {name}=") } else { ",".into() };
        text.push_str(&before);
        text.push_str(&word);
    }
}

/// The path without names. Groups that only definitions add are all alike.
fn place(path: &str) -> String {
    let place = match Target::of(path) {
        Target::Resource(place) => place,
        Target::Other(parts) => return document(&parts),
    };
    let custom = !Catalogue::is_real_group(&place.group);
    let mut text = match (place.group.as_str(), custom) {
        (_, true) => "apis/{group}/{version}".to_owned(),
        ("", _) => format!("api/{}", place.version),
        (group, _) => format!("apis/{group}/{}", place.version),
    };
    if place.namespace.is_some() {
        text.push_str("/namespaces/{ns}");
    }
    text.push('/');
    text.push_str(if custom { "{custom}" } else { &place.plural });
    if place.name.is_some() {
        text.push_str("/{name}");
    }
    if let Some(subresource) = &place.subresource {
        text.push('/');
        text.push_str(subresource);
    }
    text
}

/// The path of discovery, of a document, or of a question about health.
fn document(parts: &[String]) -> String {
    let mut words: Vec<&str> = parts.iter().map(String::as_str).collect();
    let group = words.iter().position(|word| *word == "apis").map(|index| index + 1);
    let custom =
        group.filter(|index| words.get(*index).is_some_and(|group| !Catalogue::is_real_group(group)));
    for (word, general) in words.iter_mut().skip(custom.unwrap_or(usize::MAX)).zip(["{group}", "{version}"]) {
        *word = general;
    }
    words.join("/")
}

/// The form of the answer. As the real server does, the first one that is known counts.
fn accepted(headers: &HeaderMap) -> &'static str {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let known = accept.split(',').map(str::trim).find(|media| {
        ["application/json", "*/*"].iter().any(|known| media.starts_with(known)) || media.is_empty()
    });
    match known {
        Some(media) if media.contains("as=APIGroupDiscoveryList") => "groups",
        Some(media) if media.contains("as=Table") => "table",
        Some(media) if media.contains("as=PartialObjectMetadataList") => "metadatalist",
        Some(media) if media.contains("as=PartialObjectMetadata") => "metadata",
        Some(_) => "json",
        None => "other",
    }
}

/// The options, with their values where there are few of them. An empty one is none, as for Go.
fn options(query: Option<&str>) -> BTreeSet<String> {
    let query = Query::of(query);
    let given = query.pairs().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| match name {
            "watch" | "allowWatchBookmarks" | "sendInitialEvents" | "force" | "orphanDependents" => {
                format!("{name}={}", query.is_set(name))
            }
            "resourceVersion" | "limit" | "timeoutSeconds" | "gracePeriodSeconds" => {
                format!("{name}={}", number(value))
            }
            "dryRun" | "fieldValidation" | "includeObject" | "propagationPolicy" | "resourceVersionMatch" => {
                format!("{name}={value}")
            }
            "labelSelector" => format!("{name}({})", joined(&label_operators(value))),
            "fieldSelector" => format!("{name}({})", joined(&field_operators(value))),
            _ => name.to_owned(),
        })
        .collect()
}

/// Zero means something else than other numbers everywhere.
fn number(value: &str) -> &'static str {
    match value.parse::<u64>() {
        Ok(0) => "0",
        Ok(_) => "N",
        Err(_) => "text",
    }
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, uri: &str, media: Option<&str>, body: &str) -> String {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        shape(&request.body(Bytes::from(body.to_owned())).expect("a request")).to_string()
    }

    #[test]
    fn names_and_numbers_do_not_count() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/b";
        let media = Some("application/json; charset=utf-8");
        let first = of("PUT", lease, media, r#"{"metadata":{"uid":"1","resourceVersion":"2"},"spec":{}}"#);
        assert_eq!(
            first,
            "PUT apis/coordination.k8s.io/v1/namespaces/{ns}/leases/{name} ct=application/json accept=json \
             body=resourceVersion,uid"
        );
        let other = "/apis/coordination.k8s.io/v1/namespaces/c/leases/d";
        assert_eq!(
            first,
            of("PUT", other, media, r#"{"metadata":{"uid":"3","name":"d","resourceVersion":"4"}}"#)
        );
    }

    #[test]
    fn conditions_options_and_operators_do() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases";
        assert_eq!(
            of(
                "GET",
                &format!("{lease}?watch=1&resourceVersion=7&timeoutSeconds=290&labelSelector=a%3Db,!c"),
                None,
                ""
            ),
            "GET apis/coordination.k8s.io/v1/namespaces/{ns}/leases accept=json \
             query=labelSelector(! =),resourceVersion=N,timeoutSeconds=N,watch=true"
        );
        let object = format!("{lease}/l");
        assert_eq!(
            of("DELETE", &object, Some("application/json"), r#"{"preconditions":{"uid":"5"}}"#),
            "DELETE apis/coordination.k8s.io/v1/namespaces/{ns}/leases/{name} ct=application/json accept=json body=uid"
        );
        let patch = r#"[{"op":"test","path":"/metadata/uid","value":"5"},{"op":"remove","path":"/spec"}]"#;
        assert!(
            of("PATCH", &object, Some("application/json-patch+json"), patch)
                .ends_with(" body=remove,test,uid")
        );
        assert!(of("PATCH", &object, None, "no JSON").ends_with(" ct=none accept=json body=unreadable"));
    }

    #[test]
    fn custom_resources_are_all_alike() {
        assert_eq!(
            of("GET", "/apis/cache.example.com/v1alpha1/namespaces/a/memcacheds/b/scale", None, ""),
            "GET apis/{group}/{version}/namespaces/{ns}/{custom}/{name}/scale accept=json"
        );
        assert_eq!(of("GET", "/apis/x.example.com/v2", None, ""), "GET apis/{group}/{version} accept=json");
        assert_eq!(of("GET", "/apis/apps/v1", None, ""), "GET apis/apps/v1 accept=json");
        assert_eq!(of("GET", "/apis", None, ""), "GET apis accept=json");
    }
}
