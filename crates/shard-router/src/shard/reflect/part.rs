//! The part of a reflector's cache that one watch feeds: one namespace, or all of them.

use std::{collections::BTreeSet, sync::Arc};

use kube::{ResourceExt, core::ObjectMeta};

use crate::{
    sharded::ShardedObject,
    watch::first_list::{self, ListState},
};

pub(super) struct Part<K> {
    /// `None` for all namespaces.
    namespace: Option<String>,
    list: ListState,
    /// What a list under way has brought so far, or a complete one that waits for those of other parts.
    listed: Vec<K>,
    /// Which objects do not decode, as `namespace/name`, or `name`.
    undecodable: BTreeSet<String>,
    /// Those of them that the list under way has not brought yet.
    unconfirmed: BTreeSet<String>,
}

/// Whether every list was answered, and at least one of them completely.
pub(super) fn all_answered<K>(parts: &[Part<K>]) -> bool {
    first_list::all_answered(parts.iter().map(|part| part.list))
}

impl<K: ShardedObject> Part<K> {
    pub(super) fn new(namespace: Option<&str>) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            list: ListState::Asked,
            listed: Vec::new(),
            undecodable: BTreeSet::new(),
            unconfirmed: BTreeSet::new(),
        }
    }

    pub(super) fn begin_list(&mut self) {
        self.list = ListState::Asked;
        self.listed.clear();
        self.unconfirmed = self.undecodable.clone();
    }

    pub(super) fn keep(&mut self, object: K) {
        self.listed.push(object);
    }

    /// Returns the objects that did not decode and are gone.
    pub(super) fn end_list(&mut self) -> BTreeSet<String> {
        self.list = ListState::Complete;
        self.undecodable.retain(|cr| !self.unconfirmed.contains(cr));
        std::mem::take(&mut self.unconfirmed)
    }

    pub(super) fn does_not_decode(&mut self, cr: String) {
        self.unconfirmed.remove(&cr);
        self.undecodable.insert(cr);
    }

    /// Whether it did not before.
    pub(super) fn decodes(&mut self, cr: &str) -> bool {
        self.unconfirmed.remove(cr);
        self.undecodable.remove(cr)
    }

    pub(super) fn refused(&mut self) {
        self.list.failed();
    }

    /// Keeps the newer state of an object beside a list that waits.
    pub(super) fn replace(&mut self, object: K) {
        self.drop_listed(object.meta());
        self.listed.push(object);
    }

    /// A list under way brings each object once, so there is nothing to look for.
    pub(super) fn drop_listed(&mut self, object: &ObjectMeta) {
        if self.list == ListState::Complete {
            self.listed.retain(|listed| name(listed.meta()) != name(object));
        }
    }

    pub(super) fn take_list(&mut self) -> Vec<K> {
        std::mem::take(&mut self.listed)
    }

    /// Those of this part that the list just ended has not brought. By uid: a namesake made meanwhile is another object.
    pub(super) fn missing_from_list(&self, cached: &[Arc<K>]) -> Vec<Arc<K>> {
        let listed: BTreeSet<_> = self.listed.iter().map(|object| &object.meta().uid).collect();
        let ours = |object: &K| self.namespace.is_none() || self.namespace == object.namespace();
        let missing = |object: &K| ours(object) && !listed.contains(&object.meta().uid);
        cached.iter().filter(|object| missing(object)).cloned().collect()
    }
}

fn name(object: &ObjectMeta) -> (Option<&str>, Option<&str>) {
    (object.namespace.as_deref(), object.name.as_deref())
}
