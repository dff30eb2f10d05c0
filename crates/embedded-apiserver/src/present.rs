//! The forms in which objects are shown.

mod columns;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::kinds;
use super::resource::ResourceType;
use super::store::{Kept, json_text};

pub(crate) use columns::table;

/// The object with its type.
pub(crate) fn whole<'a>(kind: &ResourceType, object: &'a Value) -> Cow<'a, Value> {
    kinds::from_internal(kind, object)
}

/// The same, as it is sent.
pub(crate) fn whole_text(kind: &ResourceType, object: &Kept) -> Bytes {
    if kinds::is_shown_as_kept(kind, object) {
        return object.text().clone();
    }
    json_text(&whole(kind, object))
}

/// An event of a watch as it is sent, one a line.
pub(crate) fn event_line(kind: &ResourceType, what: &str, object: &Kept) -> Bytes {
    event_around(what, &whole_text(kind, object))
}

/// The type comes before the object, as kube-apiserver writes it: a client that knows what is coming reads it in one go.
pub(crate) fn event_around(what: &str, object: &[u8]) -> Bytes {
    let parts: [&[u8]; 5] = [b"{\"type\":\"", what.as_bytes(), b"\",\"object\":", object, b"}\n"];
    parts.concat().into()
}

/// A list as it is sent. Items of built-in kinds don't repeat their type.
pub(crate) fn list(kind: &ResourceType, objects: &[Arc<Kept>], metadata: &Value) -> Bytes {
    let mut text = format!("{{\"apiVersion\":{},\"items\":[", Value::from(kind.api_version())).into_bytes();
    // Most built-in kinds have no field before these two, so that what follows them can be taken as it is.
    let typed =
        format!("{{\"apiVersion\":{},\"kind\":{},", json!(kind.api_version()), json!(kind.kind)).into_bytes();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let item = whole_text(kind, object);
        if kind.custom.is_some() {
            text.extend_from_slice(&item);
        } else if let Some(rest) = item.strip_prefix(&*typed) {
            text.push(b'{');
            text.extend_from_slice(rest);
        } else if let Value::Object(fields) = &*whole(kind, object) {
            serde_json::to_writer(&mut text, &Untyped(fields)).expect("memory takes all");
        }
    }
    let end = format!("],\"kind\":{},\"metadata\":{metadata}}}", Value::from(kind.list_kind.as_str()));
    text.extend_from_slice(end.as_bytes());
    text.into()
}

/// An object without its type.
struct Untyped<'a>(&'a Map<String, Value>);

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.0.iter().filter(|(name, _)| !["apiVersion", "kind"].contains(&name.as_str())))
    }
}

/// Nothing but metadata.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Partial<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialList<'a> {
    api_version: &'static str,
    /// Null if there is none: a slice of Go that nothing was added to.
    items: Option<Vec<Partial<'a>>>,
    kind: &'static str,
    metadata: &'a Value,
}

/// The object's metadata.
pub(crate) fn metadata(object: &Value) -> Partial<'_> {
    Partial { api_version: "meta.k8s.io/v1", kind: "PartialObjectMetadata", metadata: &object["metadata"] }
}

/// Those of many.
pub(crate) fn metadata_list(objects: &[Arc<Kept>], list: &Value) -> Bytes {
    json_text(&PartialList {
        api_version: "meta.k8s.io/v1",
        items: (!objects.is_empty()).then(|| objects.iter().map(|object| metadata(object)).collect()),
        kind: "PartialObjectMetadataList",
        metadata: list,
    })
}

/// How long ago, as kubectl's tables say it.
fn age(then: &Value, now: Timestamp) -> String {
    let Some(then) = then.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".into();
    };
    let seconds = now.as_second() - then.as_second();
    match seconds {
        ..0 => "<invalid>".into(),
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{}m{}s", seconds / 60, seconds % 60),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..28_800 if seconds / 60 % 60 != 0 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
