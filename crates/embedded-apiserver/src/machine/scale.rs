//! The `scale` subresource: three numbers of an object, as an object of their own.

use http::Method;
use serde_json::{Map, Value, json};

use super::commit::check_name;
use super::create::set_managers;
use super::patch::merge_patch;
use super::{Answer, Call, Machine, Reply};
use crate::ownership::Managers;
use crate::refusal::Refusal;
use crate::request::{content_type, json_body};
use crate::resource::{ResourceType, ScalePaths};

impl Machine {
    pub(super) fn scale(&mut self, call: &Call<'_>, name: &str) -> Result<Reply, Refusal> {
        let paths = call.kind.scale.clone().expect("looked at before");
        let old = self.existing(call, name)?;
        let shown = show(&call.kind, &paths, &old);
        let wanted = match *call.request.method() {
            Method::GET => return Ok(answer(&shown)),
            Method::PUT => json_body(call.request).map_err(|error| Refusal::bad_request(&error))?,
            Method::PATCH => patched(call, shown)?,
            _ => return Err(Refusal::method_not_allowed()),
        };
        check_name(&wanted, name)?;
        let mut object = Value::clone(&old);
        let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
        *at(&mut object, &paths.spec_replicas) = json!(replicas);
        let metadata = &wanted["metadata"];
        if let Some(version) = metadata["resourceVersion"].as_str() {
            object["metadata"]["resourceVersion"] = json!(version);
        }
        self.own_update(call, &old, &mut object);
        tidy_ownership(&old, &mut object, &paths.spec_replicas, replicas);
        let object = self.commit(call, name, &old, object)?;
        Ok(answer(&show(&call.kind, &paths, &object)))
    }
}

/// What a scale owns it owns without a time; nothing if it is zero, which a Scale does not write; and nothing if nobody
/// was recorded as the owner before.
fn tidy_ownership(old: &Value, object: &mut Value, path: &[String], replicas: i64) {
    let mut managers = Managers::of(object);
    let before = Managers::of(old);
    let was_owned = before.0.values().any(|owned| owned.fields.has_fields(path));
    managers.0.retain(|manager, _| manager.subresource != "scale" || (was_owned && replicas != 0));
    for (_, owned) in managers.0.iter_mut().filter(|(manager, _)| manager.subresource == "scale") {
        owned.time = None;
    }
    set_managers(object, &managers);
}

fn patched(call: &Call<'_>, mut scale: Value) -> Result<Value, Refusal> {
    let patch: Value = serde_json::from_slice(call.request.body())
        .map_err(|error| Refusal::bad_request(&format!("the patch is no JSON: {error}")))?;
    match content_type(call.request) {
        // Nothing in a Scale is a list, so that strategic merge is plain merge.
        "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
            merge_patch(&mut scale, &patch);
            Ok(scale)
        }
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_value(patch)
                .map_err(|error| Refusal::bad_request(&format!("error decoding patch: {error}")))?;
            json_patch::patch(&mut scale, &patch).map_err(|_| Refusal::patch_failed())?;
            Ok(scale)
        }
        "application/apply-patch+yaml" => Err(Refusal::not_supported("server-side apply of a scale")),
        _ => Err(Refusal::unsupported_media_type()),
    }
}

fn show(kind: &ResourceType, paths: &ScalePaths, object: &Value) -> Value {
    let get = |path: &[String]| path.iter().fold(object, |value, name| &value[name]).clone();
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": {},
        "status": {"replicas": get(&paths.status_replicas).as_i64().unwrap_or(0)},
    });
    // `omitempty`.
    if let Some(replicas) = get(&paths.spec_replicas).as_i64().filter(|replicas| *replicas != 0) {
        scale["spec"]["replicas"] = json!(replicas);
    }
    let selector = match &paths.selector {
        Some(path) => get(path).as_str().map(str::to_owned),
        None if kind.custom.is_none() => Some(selector_text(&object["spec"]["selector"])),
        None => None,
    };
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

/// A label selector as text, of equalities only: all that StatefulSets here have.
fn selector_text(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let pairs: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    pairs.join(",")
}

fn at<'a>(object: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(object, |value, name| &mut value[name])
}

fn answer(scale: &Value) -> Reply {
    Reply::Answer(Answer { status: 200, content_type: "application/json", body: scale.to_string().into() })
}
