//! What controllers do elsewhere: garbage collection by owner references, and the end of namespaces.
//!
//! A control plane without a controller-manager, as the `local` backend's, does neither; so this runs only where it is
//! asked for.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::machine::Machine;
use super::resource::ResourceType;
use super::store::{Change, Kept, Key};

/// An object to work on.
struct Item {
    kind: Arc<ResourceType>,
    key: Key,
    object: Arc<Kept>,
}

impl Machine {
    /// Deletes what has lost its last owner, lets go what waits for its dependents, and empties namespaces that are being
    /// deleted. Returns how many objects it changed or removed.
    ///
    /// One call does all there is to do now; what other finalizers keep is looked at again by the next.
    pub fn collect_garbage(&mut self) -> usize {
        let mut touched = 0;
        while self.may_have_garbage() {
            match self.collect_once() {
                0 => break,
                more => touched += more,
            }
        }
        self.mark_collected();
        touched
    }

    /// Whether anything has happened since all was collected that can make garbage: an object went, the owners, the
    /// finalizers or the deletion of one changed, or there are other kinds. Most writes are none of these.
    fn may_have_garbage(&self) -> bool {
        let (store, from) = (self.store(), self.collected());
        from < store.revision() && (from < store.compacted() || store.changes_since(from).any(makes_garbage))
    }

    /// One look at everything; 0 if there is nothing to do.
    fn collect_once(&mut self) -> usize {
        let items = self.items();
        // One at a time: each of these may change what the others depend on.
        for item in items.iter().filter(|item| item.is_deleted()) {
            if has_finalizer(&item.object, "orphan") {
                return self.orphan(item, &items);
            }
            if has_finalizer(&item.object, "foregroundDeletion") {
                match items.iter().find(|other| owned_by(other, item) && blocks(&other.object, item)) {
                    Some(dependent) if !dependent.is_deleted() => return self.remove_all(&[dependent]),
                    Some(_) => {}
                    None => {
                        self.drop_finalizer(item, "foregroundDeletion");
                        return 1;
                    }
                }
            }
        }
        let owners = Owners::among(&items);
        let garbage: Vec<&Item> =
            items.iter().filter(|item| !item.is_deleted() && self.is_garbage(item, &owners)).collect();
        if !garbage.is_empty() {
            return self.remove_all(&garbage);
        }
        let is_namespace = |item: &&Item| item.kind.plural == "namespaces" && item.kind.group.is_empty();
        let mut ending = items.iter().filter(|item| item.is_deleted()).filter(is_namespace);
        ending.find_map(|namespace| self.empty_namespace(namespace, &items)).unwrap_or(0)
    }

    /// Deletes all of these: none of them depends on another's state.
    fn remove_all(&mut self, items: &[&Item]) -> usize {
        for item in items {
            self.remove_or_mark(&item.kind, &item.key, &item.object, None, false);
        }
        items.len()
    }

    fn items(&self) -> Vec<Item> {
        let all = self.store().all().filter_map(|(key, object)| {
            let kind = self.catalogue().of_storage(&key.storage)?;
            Some(Item { kind, key: key.clone(), object: Arc::clone(object) })
        });
        all.collect()
    }

    /// Whether the object has owners and none of them is there. An owner is known by its uid, within the namespace or
    /// without any.
    fn is_garbage(&self, item: &Item, present: &Owners<'_>) -> bool {
        let owners = item.object["metadata"]["ownerReferences"].as_array();
        let Some(owners) = owners.filter(|owners| !owners.is_empty()) else { return false };
        owners.iter().all(|owner| {
            let known = self.catalogue().by_kind(
                owner["apiVersion"].as_str().unwrap_or_default(),
                owner["kind"].as_str().unwrap_or_default(),
            );
            // Of a kind that is not served here nobody can say that it is gone.
            let Some(kind) = known else { return false };
            let namespace = if kind.namespaced { item.key.namespace.as_str() } else { "" };
            !present.0.contains(&(&*kind.storage, namespace, owner["uid"].as_str().unwrap_or_default()))
        })
    }

    fn orphan(&mut self, owner: &Item, items: &[Item]) -> usize {
        for dependent in items.iter().filter(|other| owned_by(other, owner)) {
            let mut object = Value::clone(&dependent.object);
            let references = object["metadata"]["ownerReferences"].as_array_mut().expect("it has an owner");
            references.retain(|reference| reference["uid"] != owner.object["metadata"]["uid"]);
            if references.is_empty() {
                object["metadata"].as_object_mut().expect("metadata").remove("ownerReferences");
            }
            self.keep(&dependent.key, object);
        }
        self.drop_finalizer(owner, "orphan");
        1
    }

    fn drop_finalizer(&mut self, item: &Item, finalizer: &str) {
        let mut object = Value::clone(&item.object);
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        let list = metadata.get_mut("finalizers").and_then(Value::as_array_mut).expect("it has finalizers");
        list.retain(|one| one != finalizer);
        if list.is_empty() {
            metadata.remove("finalizers");
        }
        let object = self.keep(&item.key, object);
        self.remove_or_mark(&item.kind, &item.key, &object, None, false);
    }

    /// How many objects it deleted, the namespace itself at last; none where all there is to do is to wait.
    fn empty_namespace(&mut self, namespace: &Item, items: &[Item]) -> Option<usize> {
        let inside = || items.iter().filter(|item| item.key.namespace == namespace.key.name);
        let left: Vec<&Item> = inside().filter(|item| !item.is_deleted()).collect();
        if !left.is_empty() {
            return Some(self.remove_all(&left));
        }
        let waits = namespace.object["spec"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if inside().next().is_some() || !waits {
            return None;
        }
        let mut object = Value::clone(&namespace.object);
        object["spec"] = json!({});
        let object = self.keep(&namespace.key, object);
        self.remove_or_mark(&namespace.kind, &namespace.key, &object, None, false);
        Some(1)
    }
}

impl Item {
    fn is_deleted(&self) -> bool {
        self.object["metadata"].get("deletionTimestamp").is_some()
    }

    fn waits_for_dependents(&self) -> bool {
        self.is_deleted() && has_finalizer(&self.object, "foregroundDeletion")
    }
}

/// The storage, namespace and uid of everything that keeps its dependents alive.
struct Owners<'a>(HashSet<(&'a str, &'a str, &'a str)>);

impl<'a> Owners<'a> {
    fn among(items: &'a [Item]) -> Self {
        let keepers = items.iter().filter(|item| !item.waits_for_dependents());
        let known = keepers.map(|item| {
            let uid = item.object["metadata"]["uid"].as_str().unwrap_or_default();
            (&*item.key.storage, item.key.namespace.as_str(), uid)
        });
        Self(known.collect())
    }
}

/// Whether something may have to be collected after this change that had not to be before.
fn makes_garbage(change: &Change) -> bool {
    let Some(after) = &change.after else { return true };
    let differs = |field: &str| {
        change.before.as_ref().and_then(|before| before["metadata"].get(field))
            != after["metadata"].get(field)
    };
    ["ownerReferences", "finalizers", "deletionTimestamp"].into_iter().any(differs)
        || after["kind"] == "CustomResourceDefinition"
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|one| one == finalizer))
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
