//! `PUT`, and what every change of an existing object goes through.

use std::sync::Arc;

use serde_json::{Value, json};

use super::create::set_managers;
use super::settled::equal_but_for;
use super::{Call, Machine};
use crate::admission::Operation as Admitted;
use crate::fault::Fault;
use crate::kinds;
use crate::ownership::{FieldSet, Managers, Operation, update};
use crate::refusal::Refusal;
use crate::resource::ResourceType;
use crate::store::Kept;

impl Machine {
    /// Returns 200 or 201, and the object.
    pub(super) fn replace(&mut self, call: &Call<'_>, name: &str) -> Result<(u16, Arc<Kept>), Refusal> {
        let mut object = Self::body(call)?;
        check_name(&object, name)?;
        Self::place_in_namespace(call, &mut object)?;
        let (kind, metadata) = (&call.kind, &object["metadata"]);
        let asked_uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
        let asked_version = metadata["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let old = self.store.get(&Self::key_of(call, name)).cloned();
        let found_uid = old.as_ref().and_then(|old| old["metadata"]["uid"].as_str()).unwrap_or_default();
        let may_create = kind.traits.create_on_update && call.place.subresource.is_none();
        if old.is_none() && !may_create {
            return Err(Refusal::not_found(kind, name));
        }
        if !asked_uid.is_empty() && asked_uid != found_uid {
            return Err(uid_precondition(call, name, &asked_uid, found_uid));
        }
        let Some(old) = old else {
            object["metadata"]
                .as_object_mut()
                .expect("decoded objects have metadata")
                .remove("resourceVersion");
            self.own_new(call, &mut object);
            return Ok((201, self.insert(call, object)?));
        };
        if asked_version.is_empty() && !kind.traits.unconditional_update {
            let fault =
                Fault::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(Refusal::invalid_resource(kind, name, &[fault]));
        }
        self.own_update(call, &old, &mut object);
        Ok((200, self.commit(call, name, &old, object)?))
    }

    /// What the object sets otherwise than before is the writer's.
    pub(super) fn own_update(&self, call: &Call<'_>, old: &Value, object: &mut Value) {
        let said = Managers::of(object);
        let mut managers = if said.0.is_empty() { Managers::of(old) } else { said };
        if managers.0.is_empty() {
            // Objects that nobody was recorded for at their creation stay so until somebody applies.
            set_managers(object, &managers);
            return;
        }
        let manager = Self::manager(call, Operation::Update);
        let ignored = Self::ignored_fields(&call.kind, call.place.subresource.as_deref());
        let kind = &call.kind;
        let (before, after) = (kinds::from_internal(kind, old), kinds::from_internal(kind, object));
        update(kind.shown_schema(), (&before, &after), &mut managers, &manager, &ignored, &self.now());
        set_managers(object, &managers);
    }

    /// Keeps `object` in place of `old`, if it may be; both are of the same name. The managed fields are up to date.
    pub(super) fn commit(
        &mut self,
        call: &Call<'_>,
        name: &str,
        old: &Arc<Kept>,
        mut object: Value,
    ) -> Result<Arc<Kept>, Refusal> {
        let kind = &call.kind;
        let asked = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !asked.is_empty() && old["metadata"]["resourceVersion"] != asked {
            return Err(Refusal::modified(kind, name));
        }
        Self::prepare_changed(call, old, &mut object);
        Self::validate(kind, &object, Some(old), call.place.subresource.as_deref())?;
        self.admit(call, Admitted::Update, Some(&object), Some(old))?;
        if object == ***old {
            return Ok(Arc::clone(old));
        }
        if Self::is_dry_run(call)? {
            return Ok(Kept::new(object));
        }
        let key = Self::key_of(call, name);
        if is_finished(&object) {
            self.store.delete(&key);
            self.undefined(kind, &object);
            return Ok(Kept::new(object));
        }
        self.defined(kind, &object)?;
        Ok(self.store.put(key, object))
    }

    fn prepare_changed(call: &Call<'_>, old: &Value, object: &mut Value) {
        let kind = &call.kind;
        match (call.place.subresource.as_deref(), kind.custom.is_some()) {
            (Some("status"), true) => {
                let sent = std::mem::replace(object, old.clone());
                carry_over(object, &sent, "status");
                // Whatever uid was sent is forgotten here, so that it is no precondition.
                carry_over(&mut object["metadata"], &sent["metadata"], "managedFields");
            }
            (Some("status"), false) => carry_over(object, old, "spec"),
            _ if kind.status => carry_over(object, old, "status"),
            _ => {}
        }
        let before = &old["metadata"];
        let metadata = object["metadata"].as_object_mut().expect("decoded objects have metadata");
        if metadata.get("uid").is_none_or(Value::is_null) {
            metadata.insert("uid".into(), before["uid"].clone());
        }
        for field in [
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "generateName",
            "resourceVersion",
            "name",
        ] {
            match before.get(field) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.remove(field),
            };
        }
        kinds::prepare_changed(kind, old, object);
        if kind.traits.generation && spec_changed(kind, old, object) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        }
    }

    /// Fields that nobody comes to own through this endpoint, as it does not write them.
    pub(super) fn ignored_fields(kind: &ResourceType, subresource: Option<&str>) -> FieldSet {
        match subresource {
            Some("status") if kind.custom.is_some() => {
                FieldSet::of_fields(&["apiVersion", "kind", "metadata", "spec"])
            }
            Some("status") => FieldSet::of_fields(&["spec"]),
            _ if kind.status => FieldSet::of_fields(&["status"]),
            _ => FieldSet::default(),
        }
    }
}

/// The name in the body has to be that of the path.
pub(super) fn check_name(object: &Value, name: &str) -> Result<(), Refusal> {
    match object["metadata"]["name"].as_str().unwrap_or_default() {
        "" => Err(Refusal::bad_request(&format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        said if said != name => Err(Refusal::bad_request(&format!(
            "the name of the object ({said}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
}

/// Whether nothing keeps an object that is being deleted.
pub(super) fn is_finished(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let kept = metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
        || object["kind"] == "Namespace"
            && object["spec"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
    metadata.get("deletionTimestamp").is_some() && !kept
}

fn uid_precondition(call: &Call<'_>, name: &str, asked: &str, found: &str) -> Refusal {
    let key = match &call.place.namespace {
        Some(namespace) => format!("{}/{namespace}/{name}", call.kind.plural),
        None => format!("{}/{name}", call.kind.plural),
    };
    let group = if call.kind.custom.is_some() { format!("{}/", call.kind.group) } else { String::new() };
    Refusal::conflict(
        &call.kind,
        name,
        &format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{group}{key}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
        ),
    )
}

fn carry_over(object: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => object[field] = value.clone(),
        None => {
            object.as_object_mut().expect("decoded objects are objects").remove(field);
        }
    }
}

/// A custom resource's generation counts every change but those of metadata and, with the subresource, of status; that of
/// built-in kinds counts changes of the spec.
fn spec_changed(kind: &ResourceType, old: &Value, new: &Value) -> bool {
    if kind.custom.is_none() {
        return old["spec"] != new["spec"];
    }
    let apart: &[&str] = if kind.status { &["metadata", "status"] } else { &["metadata"] };
    !equal_but_for(apart, old, new)
}
