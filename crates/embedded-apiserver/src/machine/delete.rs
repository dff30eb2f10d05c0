//! `DELETE`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::commit::is_finished;
use super::{Call, Machine, Reply};
use crate::admission::Operation;
use crate::refusal::Refusal;
use crate::request::json_body;
use crate::resource::ResourceType;
use crate::store::{Kept, Key};

impl Machine {
    pub(super) fn delete(&mut self, call: &Call<'_>, name: &str) -> Result<Reply, Refusal> {
        let options = options(call)?;
        let old = self.existing(call, name)?;
        check_preconditions(&call.kind, name, &options, &old)?;
        self.admit(call, Operation::Delete, None, Some(&old))?;
        let dry_run = Self::is_dry_run(call)? || is_dry_run(&options);
        let key = Self::key_of(call, name);
        let (object, gone) = self.remove_or_mark(&call.kind, &key, &old, finalizer(call, &options)?, dry_run);
        // Some kinds' strategies give back what was deleted.
        if !gone
            || call.kind.group.is_empty()
                && ["services", "serviceaccounts"].contains(&call.kind.plural.as_str())
        {
            return Ok(self.answer_object(call, 200, &object));
        }
        let mut details = call.kind.details(name, &call.kind.plural);
        details["uid"] = object["metadata"]["uid"].clone();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Ok(Self::answer(200, &status))
    }

    pub(super) fn delete_collection(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let options = options(call)?;
        let finalizer = finalizer(call, &options)?;
        let dry_run = Self::is_dry_run(call)? || is_dry_run(&options);
        let listed = self.list(call)?;
        for object in self.selected(call)? {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            self.admit(call, Operation::Delete, None, Some(&object))?;
            let key = Self::key(&call.kind, object["metadata"]["namespace"].as_str(), name);
            self.remove_or_mark(&call.kind, &key, &object, finalizer, dry_run);
        }
        Ok(Self::answer_text(200, listed))
    }

    /// Removes the object, or marks it where finalizers keep it. Returns its last state and whether it is gone.
    pub(crate) fn remove_or_mark(
        &mut self,
        kind: &ResourceType,
        key: &Key,
        old: &Arc<Kept>,
        finalizer: Option<&'static str>,
        dry_run: bool,
    ) -> (Arc<Kept>, bool) {
        let mut object = Value::clone(old);
        let metadata = object["metadata"].as_object_mut().expect("kept objects have metadata");
        if let Some(finalizer) = finalizer {
            let list = metadata.entry("finalizers").or_insert_with(|| json!([]));
            let list = list.as_array_mut().expect("finalizers are a list");
            if !list.iter().any(|one| one == finalizer) {
                list.push(json!(finalizer));
            }
        }
        if !metadata.contains_key("deletionTimestamp") {
            metadata.insert("deletionTimestamp".into(), json!(self.now()));
            if kind.plural != "namespaces" {
                metadata.insert("deletionGracePeriodSeconds".into(), json!(0));
            }
            if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
                metadata.insert("generation".into(), json!(generation + 1));
            }
        }
        if kind.plural == "namespaces" {
            object["status"]["phase"] = json!("Terminating");
        }
        let gone = is_finished(&object);
        match (dry_run, gone) {
            (false, true) => {
                self.store.delete(key);
                self.undefined(kind, old);
                (Arc::clone(old), true)
            }
            (false, false) if object != ***old => (self.store.put(key.clone(), object), gone),
            _ => (Kept::new(object), gone),
        }
    }

    /// A definition takes what it defined with it.
    pub(super) fn undefined(&mut self, kind: &ResourceType, object: &Value) {
        if kind.plural != "customresourcedefinitions" {
            return;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text(&object["spec"]["group"]), text(&object["spec"]["names"]["plural"]));
        let storage: std::sync::Arc<str> = format!("{group}/{plural}").into();
        let keys: Vec<Key> = self.store.list(&storage).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.store.delete(&key);
        }
        self.catalogue.define(&group, &plural, Vec::new());
    }
}

fn options(call: &Call<'_>) -> Result<Value, Refusal> {
    if call.kind.group.is_empty() && call.kind.plural == "pods" {
        return Err(Refusal::not_supported("the deletion of Pods, which is a kubelet's part"));
    }
    json_body(call.request)
        .map_err(|error| Refusal::bad_request(&format!("couldn't read the options: {error}")))
}

fn is_dry_run(options: &Value) -> bool {
    options["dryRun"].as_array().is_some_and(|all| !all.is_empty())
}

fn finalizer(call: &Call<'_>, options: &Value) -> Result<Option<&'static str>, Refusal> {
    let policy = options["propagationPolicy"].as_str().or_else(|| call.query.get("propagationPolicy"));
    match policy {
        Some("Foreground") => Ok(Some("foregroundDeletion")),
        Some("Orphan") => Ok(Some("orphan")),
        // As it was before there were policies.
        None if call.kind.group == "batch" && call.kind.plural == "jobs" => Ok(Some("orphan")),
        Some("Background") | None => Ok(None),
        Some(other) => Err(Refusal::bad_request(&format!("invalid propagationPolicy {other:?}"))),
    }
}

fn check_preconditions(kind: &ResourceType, name: &str, options: &Value, old: &Value) -> Result<(), Refusal> {
    let wanted = |field: &str| options["preconditions"][field].as_str();
    let found = |field: &str| old["metadata"][field].as_str().unwrap_or_default();
    if let Some(uid) = wanted("uid").filter(|uid| *uid != found("uid")) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            found("uid")
        );
        return Err(Refusal::failed_precondition(kind, name, &why));
    }
    if let Some(version) = wanted("resourceVersion").filter(|version| *version != found("resourceVersion")) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). \
             The object might have been modified",
            found("resourceVersion")
        );
        return Err(Refusal::failed_precondition(kind, name, &why));
    }
    Ok(())
}
