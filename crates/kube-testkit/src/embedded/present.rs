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
    let object = whole_text(kind, object);
    let parts: [&[u8]; 5] = [b"{\"object\":", &object, b",\"type\":\"", what.as_bytes(), b"\"}\n"];
    parts.concat().into()
}

/// A list as it is sent. Items of built-in kinds don't repeat their type.
pub(crate) fn list(kind: &ResourceType, objects: &[Arc<Kept>], metadata: &Value) -> Bytes {
    let mut text = format!("{{\"apiVersion\":{},\"items\":[", Value::from(kind.api_version())).into_bytes();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        match &*whole(kind, object) {
            Value::Object(fields) if kind.custom.is_none() => {
                serde_json::to_writer(&mut text, &Untyped(fields)).expect("memory takes all");
            }
            _ => text.extend_from_slice(&whole_text(kind, object)),
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
pub(crate) fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Nothing but metadata, of many.
pub(crate) fn metadata_list(objects: &[Arc<Kept>], list: &Value) -> Value {
    let items: Vec<Value> = objects.iter().map(|object| metadata(object)).collect();
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": list, "items": items})
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
