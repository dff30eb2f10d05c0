//! `POST`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Call, Machine};
use crate::admission::Operation as Admitted;
use crate::catalogue;
use crate::kinds;
use crate::ownership::{Managers, Operation, update};
use crate::refusal::Refusal;
use crate::resource::ResourceType;
use crate::schema::apply_defaults;
use crate::seams::{name_suffix, uid};
use crate::store::Kept;

impl Machine {
    pub(super) fn create(&mut self, call: &Call<'_>) -> Result<Arc<Kept>, Refusal> {
        if call.kind.namespaced && call.place.namespace.is_none() {
            return Err(Refusal::method_not_allowed());
        }
        let mut object = Self::body(call)?;
        Self::place_in_namespace(call, &mut object)?;
        self.own_new(call, &mut object);
        self.insert(call, object)
    }

    /// The namespace of the path, which the body may repeat but not contradict.
    pub(super) fn place_in_namespace(call: &Call<'_>, object: &mut Value) -> Result<(), Refusal> {
        let Some(namespace) = &call.place.namespace else { return Ok(()) };
        let said = object["metadata"]["namespace"].as_str().unwrap_or_default();
        if !said.is_empty() && said != namespace {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object["metadata"]["namespace"] = json!(namespace);
        Ok(())
    }

    /// All that a new object sets is its creator's.
    pub(super) fn own_new(&self, call: &Call<'_>, object: &mut Value) {
        let mut managers = Managers::default();
        let manager = Self::manager(call, Operation::Update);
        let kind = &call.kind;
        let mut nothing = kinds::into_shown(kind, Self::nothing(kind));
        if kind.plural == "customresourcedefinitions" {
            // An empty definition in Go has these, so nobody makes them.
            nothing["spec"] = json!({"names": {}});
        }
        let shown = kinds::from_internal(kind, object);
        let ignored = Self::ignored_fields(&call.kind, call.place.subresource.as_deref());
        update(kind.shown_schema(), (&nothing, &shown), &mut managers, &manager, &ignored, &self.now());
        set_managers(object, &managers);
    }

    /// Gives the object what the API server gives to new ones, validates it and keeps it.
    pub(super) fn insert(&mut self, call: &Call<'_>, object: Value) -> Result<Arc<Kept>, Refusal> {
        let kind = &call.kind;
        self.check_namespace(call, &object)?;
        if object["metadata"].get("resourceVersion").is_some() {
            return Err(Refusal::internal("resourceVersion should not be set on objects to be created"));
        }
        let mut object = self.prepare_new(kind, object);
        Self::validate(kind, &object, None, None)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = Self::key_of(call, &name);
        if self.store.get(&key).is_some() {
            return Err(Refusal::already_exists(kind, &name));
        }
        self.admit(call, Admitted::Create, Some(&object), None)?;
        if kind.plural == "customresourcedefinitions" {
            object = kinds::unaccepted(object);
        }
        if Self::is_dry_run(call)? {
            return Ok(Kept::new(object));
        }
        self.defined(kind, &object)?;
        let kept = self.store.put(key.clone(), object);
        if kind.plural == "customresourcedefinitions" {
            // What controllers do a moment later on the real server, is done at once.
            self.store.put(key, kinds::established(Value::clone(&kept), &self.now()));
        }
        Ok(kept)
    }

    pub(super) fn prepare_new(&self, kind: &ResourceType, mut object: Value) -> Value {
        let metadata = object["metadata"].as_object_mut().expect("decoded objects have metadata");
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            metadata.remove(field);
        }
        let has_name = metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        if let Some(prefix) = metadata.get("generateName").and_then(Value::as_str).filter(|_| !has_name) {
            let prefix: String = prefix.chars().take(253 - 5).collect();
            metadata.insert("name".into(), json!(format!("{prefix}{}", name_suffix(self.seams.bits()))));
        }
        metadata.insert("uid".into(), json!(uid(self.seams.bits())));
        metadata.insert("creationTimestamp".into(), json!(self.now()));
        if kind.traits.generation {
            metadata.insert("generation".into(), json!(1));
        }
        if kind.status {
            let nothing = Self::nothing(kind);
            if let Some(empty) = nothing.get("status") {
                object["status"] = empty.clone();
            } else {
                object.as_object_mut().expect("decoded objects are objects").remove("status");
                if kind.custom.is_some() {
                    // The real server stores none, and fills in what the definition says whenever it reads the object.
                    apply_defaults(&kind.schema, &mut object);
                }
            }
        }
        kinds::prepare_new(kind, &mut object, self.seams.bits());
        object
    }

    fn check_namespace(&self, call: &Call<'_>, object: &Value) -> Result<(), Refusal> {
        let Some(namespace) = &call.place.namespace else { return Ok(()) };
        let kind = self.catalogue.find("", "v1", "namespaces").expect("namespaces are built in");
        let found = self.store.get(&Self::key(&kind, None, namespace));
        let found = found.ok_or_else(|| Refusal::not_found(&kind, namespace))?;
        if found["metadata"].get("deletionTimestamp").is_none() {
            return Ok(());
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let message =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let causes = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        Err(Refusal::forbidden(&call.kind, name, &message, Some(causes)))
    }

    /// A definition gives the resources that it defines.
    pub(super) fn defined(&mut self, kind: &ResourceType, object: &Value) -> Result<(), Refusal> {
        if kind.plural != "customresourcedefinitions" {
            return Ok(());
        }
        let types = catalogue::from_definition(object).map_err(|what| Refusal::not_supported(&what))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.catalogue.define(
            &text(&object["spec"]["group"]),
            &text(&object["spec"]["names"]["plural"]),
            types,
        );
        Ok(())
    }
}

/// Shows these managers in the object.
pub(super) fn set_managers(object: &mut Value, managers: &Managers) {
    let metadata = object["metadata"].as_object_mut().expect("decoded objects have metadata");
    match managers.encode() {
        Some(entries) => metadata.insert("managedFields".into(), entries),
        None => metadata.remove("managedFields"),
    };
}
