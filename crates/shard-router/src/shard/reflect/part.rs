//! One watch's share of a reflector's cache: a namespace, or all of them.

use std::{collections::BTreeSet, sync::Arc};

use kube::ResourceExt;

use crate::sharded::Sharded;

pub(super) struct Part<K> {
    /// `None` for all namespaces.
    namespace: Option<String>,
    list: List,
    /// What a list under way has brought so far, or a complete one that waits for those of other parts.
    listed: Vec<K>,
}

/// What became of the list last asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Asked,
    Refused,
    Complete,
}

/// Whether there is nothing left to wait for, and something to work on.
pub(super) fn all_answered<K>(parts: &[Part<K>]) -> bool {
    parts.iter().all(|part| part.list != List::Asked) && parts.iter().any(|part| part.list == List::Complete)
}

impl<K: Sharded> Part<K> {
    pub(super) fn new(namespace: Option<&str>) -> Self {
        Self { namespace: namespace.map(str::to_owned), list: List::Asked, listed: Vec::new() }
    }

    pub(super) fn begin_list(&mut self) {
        self.list = List::Asked;
        self.listed.clear();
    }

    pub(super) fn keep(&mut self, object: K) {
        self.listed.push(object);
    }

    pub(super) fn end_list(&mut self) {
        self.list = List::Complete;
    }

    pub(super) fn refused(&mut self) {
        if self.list == List::Asked {
            self.list = List::Refused;
        }
    }

    /// Keeps the newer state of an object beside a list that waits.
    pub(super) fn replace(&mut self, object: K) {
        self.drop_listed(&object);
        self.listed.push(object);
    }

    /// A list under way brings each object once, so there is nothing to look for.
    pub(super) fn drop_listed(&mut self, object: &K) {
        if self.list == List::Complete {
            self.listed.retain(|listed| name(listed) != name(object));
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

fn name<K: Sharded>(object: &K) -> (Option<&str>, Option<&str>) {
    (object.meta().namespace.as_deref(), object.meta().name.as_deref())
}
