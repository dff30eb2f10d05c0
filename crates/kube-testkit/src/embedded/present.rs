//! The forms in which objects are shown.

mod columns;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds;
use super::resource::ResourceType;

pub(crate) use columns::table;

/// The object with its type.
pub(crate) fn whole(kind: &ResourceType, object: &Value) -> Value {
    kinds::from_internal(kind, object)
}

/// A list. Items of built-in kinds don't repeat their type.
pub(crate) fn list(kind: &ResourceType, objects: &[Arc<Value>], metadata: &Value) -> Value {
    let items = objects.iter().map(|object| {
        let mut item = whole(kind, object);
        if kind.custom.is_none() {
            let fields = item.as_object_mut().expect("kept objects are objects");
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        item
    });
    json!({
        "kind": kind.list_kind,
        "apiVersion": kind.api_version(),
        "metadata": metadata,
        "items": items.collect::<Vec<_>>(),
    })
}

/// Nothing but metadata.
pub(crate) fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Nothing but metadata, of many.
pub(crate) fn metadata_list(objects: &[Arc<Value>], list: &Value) -> Value {
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
