//! Server-side apply.

use std::sync::Arc;

use serde_json::{Value, json};

use super::commit::check_name;
use super::create::set_managers;
use super::settled::equal_but_for;
use super::{Call, Machine};
use crate::fault::Fault;
use crate::kinds;
use crate::ownership::{ApplyError, Manager, Managers, Operation, apply, mistyped, update};
use crate::refusal::Refusal;
use crate::store::Kept;

impl Machine {
    /// Returns 200 or 201, and the object.
    pub(super) fn apply(&mut self, call: &Call<'_>, name: &str) -> Result<(u16, Arc<Kept>), Refusal> {
        let kind = &call.kind;
        let old = self.store.get(&Self::key_of(call, name)).cloned();
        if let Some(old) = old.as_ref().filter(|old| self.settled.knows(call, old)) {
            return Ok((200, Arc::clone(old)));
        }
        let config = Self::configuration(call)?;
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
        let nothing = old.is_none().then(|| Self::nothing(kind));
        let live: &Value =
            old.as_deref().map(|old| &**old).or(nothing.as_ref()).expect("one of them is there");
        let mut managers = Managers::of(live);
        let before = managers.clone();
        let ignored = Self::ignored_fields(kind, call.place.subresource.as_deref());
        if managers.0.is_empty() && old.is_some() {
            // What was there before anybody applied belongs to somebody all the same.
            let first = Manager {
                name: "before-first-apply".into(),
                subresource: String::new(),
                ..Self::manager(call, Operation::Update)
            };
            update(&kind.schema, (&Self::nothing(kind), live), &mut managers, &first, &ignored, &self.now());
        }
        if let Some(why) = mistyped(&kind.schema, &config) {
            let text = |field: &str| config["metadata"][field].as_str().unwrap_or_default();
            let (namespace, name) = (text("namespace"), text("name"));
            return Err(Refusal::internal(&format!(
                "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {why}",
                kind.api_version(),
                kind.kind
            )));
        }
        let manager = Self::manager(call, Operation::Apply);
        let force = call.query.is_set("force");
        let applier = (&manager, kind.api_version());
        let result =
            apply(&kind.schema, (live, &config), &mut managers, (applier.0, &applier.1), force, &ignored);
        let object = result.map_err(|ApplyError(conflicts)| {
            let told: Vec<_> =
                conflicts.iter().map(|(manager, fields)| (told(manager), fields.told())).collect();
            Refusal::owned_by_others(&told)
        })?;
        let mut object = Self::decode(kind, kinds::into_shown(kind, object))?;
        check_name(&object, name)?;
        let changed = !equal_but_for_managers(live, &object);
        if let (true, Some(owned)) = (changed || old.is_none(), managers.0.get_mut(&manager)) {
            owned.time = Some(self.now());
        }
        let managers = if changed || managers != before { managers } else { before };
        set_managers(&mut object, &managers);
        Self::place_in_namespace(call, &mut object)?;
        if let Some(old) = old {
            let kept = self.commit(call, name, &old, object)?;
            if Arc::ptr_eq(&kept, &old) {
                self.settled.note(call, &kept);
            }
            return Ok((200, kept));
        }
        // Of what is not there, any version will do.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        Ok((201, self.insert(call, object)?))
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

fn equal_but_for_managers(one: &Value, other: &Value) -> bool {
    equal_but_for(&["metadata"], one, other)
        && equal_but_for(&["managedFields"], &one["metadata"], &other["metadata"])
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
