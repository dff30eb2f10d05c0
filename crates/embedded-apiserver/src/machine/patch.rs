//! `PATCH`: JSON patch, merge patch, and the way to server-side apply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::commit::check_name;
use super::{Call, Machine};
use crate::fault::Fault;
use crate::kinds;
use crate::operations;
use crate::refusal::Refusal;
use crate::request::content_type;
use crate::resource::ResourceType;
use crate::store::Kept;
use crate::strategic;

impl Machine {
    /// Returns 200 or 201, and the object.
    pub(super) fn patch(&mut self, call: &Call<'_>, name: &str) -> Result<(u16, Arc<Kept>), Refusal> {
        let media = content_type(call.request);
        if media == "application/apply-patch+yaml" {
            return self.apply(call, name);
        }
        if call.query.get("force").is_some() {
            return Err(Refusal::invalid_options(
                "PatchOptions",
                Fault::forbidden("force", "may not be specified for non-apply patch"),
            ));
        }
        if ![
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        ]
        .contains(&media)
        {
            return Err(Refusal::unsupported_media_type());
        }
        if media == "application/strategic-merge-patch+json" && call.kind.custom.is_some() {
            return Err(Refusal::unsupported_patch());
        }
        let old = self.existing(call, name)?;
        let patch: Value = serde_json::from_slice(call.request.body())
            .map_err(|error| Refusal::bad_request(&format!("the patch is no JSON: {error}")))?;
        let mut object = kinds::from_internal(&call.kind, &old).into_owned();
        match media {
            "application/json-patch+json" => {
                let patch = operations_in(&patch)?;
                operations::patch(&mut object, &patch).map_err(|_| Refusal::patch_failed())?;
            }
            "application/merge-patch+json" => merge_patch(&mut object, &patch),
            _ => object = strategic::patch(&call.kind.schema, &object, &patch)?,
        }
        refuse_another_kind(&call.kind, &object)?;
        let mut object = Self::decode(&call.kind, object)?;
        check_name(&object, name)?;
        Self::place_in_namespace(call, &mut object)?;
        self.own_update(call, &old, &mut object);
        let object = self.commit(call, name, &old, object)?;
        Ok((200, object))
    }
}

fn operations_in(patch: &Value) -> Result<json_patch::Patch, Refusal> {
    if !patch.is_array() {
        let found = if patch.is_object() { "object" } else { "value" };
        let wanted = "json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp";
        let why = wanted.replace("{}", found);
        return Err(Refusal::bad_request(&format!("error decoding patch: {why}")));
    }
    serde_json::from_value(patch.clone()).map_err(|_| Refusal::patch_failed())
}

/// A patch may not make another kind of the object.
fn refuse_another_kind(kind: &ResourceType, object: &Value) -> Result<(), Refusal> {
    if object["kind"] == json!(kind.kind) && object["apiVersion"] == json!(kind.api_version()) {
        return Ok(());
    }
    let (found, version) = (&object["kind"], &object["apiVersion"]);
    let why = format!("no kind {found} is registered for version {version}");
    Err(Refusal::unreadable_patch(&Fault::invalid("patch", &json!(object.to_string()), &why)))
}

/// RFC 7386.
pub(crate) fn merge_patch(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("made one above");
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge_patch(fields.entry(name.clone()).or_insert(json!(null)), value);
        }
    }
}
