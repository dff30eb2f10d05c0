//! Server-side apply.

use serde_json::{Value, json};

use super::commit::check_name;
use super::create::set_managers;
use super::{Call, Machine};
use crate::embedded::kinds;
use crate::embedded::ownership::{ApplyError, Manager, Managers, Operation, apply, update};
use crate::embedded::refusal::{Fault, Refusal};

impl Machine {
    /// Returns 200 or 201, and the object.
    pub(super) fn apply(&mut self, call: &Call<'_>, name: &str) -> Result<(u16, Value), Refusal> {
        let config = Self::configuration(call)?;
        let kind = &call.kind;
        let old = self.store.get(&Self::key_of(call, name)).cloned();
        if old.is_none() && call.place.subresource.is_some() {
            return Err(Refusal::not_found(kind, name));
        }
        let uid = config["metadata"]["uid"].as_str().unwrap_or_default();
        if let (None, false) = (&old, uid.is_empty()) {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
        let live = old.as_ref().map_or_else(|| Self::nothing(kind), |old| (**old).clone());
        let mut managers = Managers::of(&live);
        let before = managers.clone();
        let ignored = Self::ignored_fields(kind, call.place.subresource.as_deref());
        if managers.0.is_empty() && old.is_some() {
            // What was there before anybody applied belongs to somebody all the same.
            let first = Manager {
                name: "before-first-apply".into(),
                subresource: String::new(),
                ..Self::manager(call, Operation::Update)
            };
            update(&kind.schema, (&Self::nothing(kind), &live), &mut managers, &first, &ignored, &self.now());
        }
        let manager = Self::manager(call, Operation::Apply);
        let force = call.query.is_set("force");
        let applier = (&manager, kind.api_version());
        let result =
            apply(&kind.schema, (&live, &config), &mut managers, (applier.0, &applier.1), force, &ignored);
        let object = result.map_err(|ApplyError(conflicts)| {
            let told: Vec<_> =
                conflicts.iter().map(|(manager, fields)| (told(manager), fields.told())).collect();
            Refusal::owned_by_others(&told)
        })?;
        let mut object = Self::decode(kind, kinds::from_internal(kind, &object))?;
        check_name(&object, name)?;
        if let (true, Some(owned)) = (changed(&live, &object) || old.is_none(), managers.0.get_mut(&manager))
        {
            owned.time = Some(self.now());
        }
        let managers = if changed(&live, &object) || managers != before { managers } else { before };
        set_managers(&mut object, &managers);
        Self::place_in_namespace(call, &mut object)?;
        match old {
            Some(old) => Ok((200, self.commit(call, name, &old, object)?)),
            None => Ok((201, self.insert(call, object)?)),
        }
    }

    /// The body, as far as its type is concerned; what is not in it is not applied, so it gets no defaults.
    fn configuration(call: &Call<'_>) -> Result<Value, Refusal> {
        let kind = &call.kind;
        if call.query.get("fieldManager").is_none() {
            return Err(Refusal::invalid_options(
                "PatchOptions",
                Fault::required("fieldManager", "is required for apply patch"),
            ));
        }
        if kind.group == "events.k8s.io" {
            return Err(Refusal::not_supported(&format!("server-side apply of {}", kind.qualified())));
        }
        let config: Value = serde_json::from_slice(call.request.body()).map_err(|error| {
            Refusal::not_supported(&format!("server-side apply of anything but JSON ({error})"))
        })?;
        for (field, wanted) in [("kind", kind.kind.clone()), ("apiVersion", kind.api_version())] {
            if config.get(field) != Some(&json!(wanted)) {
                return Err(Refusal::bad_request(&format!(
                    "the {field} in the apply patch has to be {wanted:?}, not {}",
                    config[field]
                )));
            }
        }
        if config["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        Ok(config)
    }
}

fn changed(live: &Value, object: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        object
    };
    bare(live) != bare(object)
}

/// A manager as the message about a conflict names it.
fn told(manager: &Manager) -> String {
    let mut told = format!("{:?}", manager.name);
    if !manager.subresource.is_empty() {
        told = format!("{told} with subresource {:?}", manager.subresource);
    }
    if manager.operation == Operation::Update {
        told = format!("{told} using {}", manager.api_version);
    }
    told
}
