//! What controllers do elsewhere: garbage collection by owner references, and the end of namespaces.
//!
//! A control plane without a controller-manager, as the `local` backend's, does neither; so this runs only where it is
//! asked for.

use std::sync::Arc;

use serde_json::{Value, json};

use super::machine::Machine;
use super::resource::ResourceType;
use super::store::Key;

/// An object to work on.
struct Item {
    kind: Arc<ResourceType>,
    key: Key,
    object: Arc<Value>,
}

impl Machine {
    /// Deletes what has lost its last owner, lets go what waits for its dependents, and empties namespaces that are being
    /// deleted. Returns how many objects it changed or removed.
    ///
    /// One call does all there is to do now; what other finalizers keep is looked at again by the next.
    pub fn collect_garbage(&mut self) -> usize {
        let mut touched = 0;
        while self.collect_once() {
            touched += 1;
        }
        touched
    }

    /// One step; `false` if there was none to make.
    fn collect_once(&mut self) -> bool {
        let items = self.items();
        for item in &items {
            let metadata = &item.object["metadata"];
            let deleted = metadata.get("deletionTimestamp").is_some();
            if deleted && has_finalizer(metadata, "orphan") {
                return self.orphan(item, &items);
            }
            if deleted && has_finalizer(metadata, "foregroundDeletion") {
                match items.iter().find(|other| owned_by(other, item) && blocks(&other.object, item)) {
                    Some(dependent) if dependent.object["metadata"].get("deletionTimestamp").is_none() => {
                        self.remove_or_mark(&dependent.kind, &dependent.key, &dependent.object, None, false);
                        return true;
                    }
                    Some(_) => {}
                    None => {
                        self.drop_finalizer(item, "foregroundDeletion");
                        return true;
                    }
                }
            }
            if !deleted && self.is_garbage(item, &items) {
                self.remove_or_mark(&item.kind, &item.key, &item.object, None, false);
                return true;
            }
            if deleted
                && item.kind.plural == "namespaces"
                && item.kind.group.is_empty()
                && self.empty_namespace(item, &items)
            {
                return true;
            }
        }
        false
    }

    fn items(&self) -> Vec<Item> {
        let all = self.stored().filter_map(|(key, object)| {
            let kind = self.catalogue().of_storage(&key.storage)?;
            Some(Item { kind, key: key.clone(), object: Arc::clone(object) })
        });
        all.collect()
    }

    /// Whether the object has owners and none of them is there. An owner is known by its uid, within the namespace or
    /// without any.
    fn is_garbage(&self, item: &Item, items: &[Item]) -> bool {
        let owners = item.object["metadata"]["ownerReferences"].as_array();
        let Some(owners) = owners.filter(|owners| !owners.is_empty()) else { return false };
        owners.iter().all(|owner| {
            let known = self.catalogue().by_kind(
                owner["apiVersion"].as_str().unwrap_or_default(),
                owner["kind"].as_str().unwrap_or_default(),
            );
            // Of a kind that is not served here nobody can say that it is gone.
            let Some(kind) = known else { return false };
            !items.iter().any(|other| {
                other.key.storage == kind.storage
                    && other.object["metadata"]["uid"] == owner["uid"]
                    && (!kind.namespaced || other.key.namespace == item.key.namespace)
                    && !waits_for_dependents(&other.object)
            })
        })
    }

    fn orphan(&mut self, owner: &Item, items: &[Item]) -> bool {
        for dependent in items.iter().filter(|other| owned_by(other, owner)) {
            let mut object = (*dependent.object).clone();
            let references = object["metadata"]["ownerReferences"].as_array_mut().expect("it has an owner");
            references.retain(|reference| reference["uid"] != owner.object["metadata"]["uid"]);
            if references.is_empty() {
                object["metadata"].as_object_mut().expect("metadata").remove("ownerReferences");
            }
            self.keep(&dependent.key, object);
        }
        self.drop_finalizer(owner, "orphan");
        true
    }

    fn drop_finalizer(&mut self, item: &Item, finalizer: &str) {
        let mut object = (*item.object).clone();
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        let list = metadata.get_mut("finalizers").and_then(Value::as_array_mut).expect("it has finalizers");
        list.retain(|one| one != finalizer);
        if list.is_empty() {
            metadata.remove("finalizers");
        }
        let object = self.keep(&item.key, object);
        self.remove_or_mark(&item.kind, &item.key, &object, None, false);
    }

    fn empty_namespace(&mut self, namespace: &Item, items: &[Item]) -> bool {
        let inside: Vec<&Item> =
            items.iter().filter(|item| item.key.namespace == namespace.key.name).collect();
        if let Some(item) =
            inside.iter().find(|item| item.object["metadata"].get("deletionTimestamp").is_none())
        {
            self.remove_or_mark(&item.kind, &item.key, &item.object, None, false);
            return true;
        }
        if !inside.is_empty() || namespace.object["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            return false;
        }
        let mut object = (*namespace.object).clone();
        object["spec"] = json!({});
        let object = self.keep(&namespace.key, object);
        self.remove_or_mark(&namespace.kind, &namespace.key, &object, None, false);
        true
    }
}

fn has_finalizer(metadata: &Value, finalizer: &str) -> bool {
    metadata["finalizers"].as_array().is_some_and(|all| all.iter().any(|one| one == finalizer))
}

fn waits_for_dependents(object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata.get("deletionTimestamp").is_some() && has_finalizer(metadata, "foregroundDeletion")
}

fn owned_by(dependent: &Item, owner: &Item) -> bool {
    let references = dependent.object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let same_place = owner.key.namespace.is_empty() || owner.key.namespace == dependent.key.namespace;
    same_place && references.into_iter().any(|reference| reference["uid"] == owner.object["metadata"]["uid"])
}

/// Whether the dependent has to be gone before a foreground deletion of its owner is complete.
fn blocks(dependent: &Value, owner: &Item) -> bool {
    let references = dependent["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    references.into_iter().any(|reference| {
        reference["uid"] == owner.object["metadata"]["uid"] && reference["blockOwnerDeletion"] == true
    })
}
