//! The objects, and the log of what happened to them: what etcd is to kube-apiserver.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::iter::once;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

/// A state of the store: one counter for all objects, as etcd's. An object's resourceVersion is the revision of its last
/// write.
pub type Revision = u64;

/// Where an object is kept. Sorts as etcd's keys do, see [`Key::order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) storage: Arc<str>,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    /// The order of objects in a list, by namespace and name: that of the text `namespace/name`, in which `a-b/x` comes
    /// before `a/x`.
    pub(crate) fn order(left: (&str, &str), right: (&str, &str)) -> Ordering {
        if left.0 == right.0 {
            return left.1.cmp(right.1);
        }
        left.0.bytes().chain(once(b'/')).cmp(right.0.bytes().chain(once(b'/')))
    }

    /// Namespace and name.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.storage.cmp(&other.storage).then_with(|| Self::order(self.place(), other.place()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object as it is kept, which nobody changes any more.
#[derive(Debug)]
pub(crate) struct Kept {
    object: Value,
    text: OnceLock<Bytes>,
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: Revision,
    pub(crate) key: Key,
    /// The object before, if there was one.
    pub(crate) before: Option<Arc<Kept>>,
    /// The object after, unless it was deleted.
    pub(crate) after: Option<Arc<Kept>>,
}

/// All objects as they are, and the changes since the last compaction.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Arc<Kept>>,
    log: VecDeque<Change>,
    revision: Revision,
    /// Changes up to here are forgotten.
    compacted: Revision,
}

impl Kept {
    pub(crate) fn new(object: Value) -> Arc<Self> {
        Arc::new(Self { object, text: OnceLock::new() })
    }

    /// The object as JSON, written once for all answers and watches that show it.
    pub(crate) fn text(&self) -> &Bytes {
        self.text.get_or_init(|| json_text(&self.object))
    }
}

impl Deref for Kept {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.object
    }
}

/// A value as it is sent.
pub(crate) fn json_text(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("a JSON value has text keys").into()
}

impl Store {
    pub(crate) fn new() -> Self {
        // etcd's first revision is 1, and resourceVersion "0" means something else.
        Self { objects: BTreeMap::new(), log: VecDeque::new(), revision: 1, compacted: 0 }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn compacted(&self) -> Revision {
        self.compacted
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Kept>> {
        self.objects.get(key)
    }

    /// Writes the object and returns it with its new resourceVersion.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Kept> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Kept::new(object);
        let before = self.objects.insert(key.clone(), Arc::clone(&object));
        self.log.push_back(Change { revision: self.revision, key, before, after: Some(Arc::clone(&object)) });
        object
    }

    /// Removes the object and returns its last state.
    pub(crate) fn delete(&mut self, key: &Key) -> Option<Arc<Kept>> {
        let before = self.objects.remove(key)?;
        self.revision += 1;
        self.log.push_back(Change {
            revision: self.revision,
            key: key.clone(),
            before: Some(Arc::clone(&before)),
            after: None,
        });
        Some(before)
    }

    /// The objects of one storage, in order.
    pub(crate) fn list<'a>(
        &'a self,
        storage: &Arc<str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Kept>)> + use<'a> {
        let first = Key { storage: Arc::clone(storage), namespace: String::new(), name: String::new() };
        let storage = Arc::clone(storage);
        self.objects.range(first..).take_while(move |(key, _)| key.storage == storage)
    }

    /// The objects of one storage as they were at a revision; `None` if that is forgotten.
    pub(crate) fn list_at(&self, storage: &Arc<str>, revision: Revision) -> Option<BTreeMap<Key, Arc<Kept>>> {
        if revision < self.compacted {
            return None;
        }
        let mut objects: BTreeMap<_, _> =
            self.list(storage).map(|(key, object)| (key.clone(), Arc::clone(object))).collect();
        for change in self.log.iter().rev().take_while(|change| change.revision > revision) {
            if change.key.storage != *storage {
                continue;
            }
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), Arc::clone(before)),
                None => objects.remove(&change.key),
            };
        }
        Some(objects)
    }

    /// The changes after a revision. Empty before [`compacted`](Self::compacted), which the caller has to check.
    pub(crate) fn changes_since(&self, revision: Revision) -> impl Iterator<Item = &Change> {
        let start = self.log.partition_point(|change| change.revision <= revision);
        self.log.range(start..)
    }

    /// Forgets the changes up to a revision.
    pub(crate) fn compact(&mut self, revision: Revision) {
        self.compacted = self.compacted.max(revision.min(self.revision));
        while self.log.front().is_some_and(|change| change.revision <= self.compacted) {
            self.log.pop_front();
        }
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Every object.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Kept>)> {
        self.objects.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { storage: "things".into(), namespace: "ns".into(), name: name.into() }
    }

    #[test]
    fn the_past_can_be_listed_until_it_is_compacted() {
        let mut store = Store::new();
        let things: Arc<str> = "things".into();
        store.put(key("a"), json!({"metadata": {}, "n": 1}));
        let then = store.revision();
        store.put(key("a"), json!({"metadata": {}, "n": 2}));
        store.put(key("b"), json!({"metadata": {}}));
        store.delete(&key("a"));
        let past = store.list_at(&things, then).expect("not compacted");
        assert_eq!(past.len(), 1);
        assert_eq!(past[&key("a")]["n"], 1);
        assert_eq!(store.list(&things).count(), 1);
        store.compact(then + 1);
        assert!(store.list_at(&things, then).is_none());
        assert_eq!(store.changes_since(then + 1).count(), 2);
    }
}
