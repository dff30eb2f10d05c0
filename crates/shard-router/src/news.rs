//! Which changes of a resource are news to its reconciler.

use std::{collections::HashMap, sync::Arc};

use kube::{Resource, ResourceExt, runtime::Predicate};
use parking_lot::Mutex;

/// What a user's predicate returns for a resource: a hash of what matters, or nothing if it cannot tell.
pub(crate) type Property<K> = Arc<dyn Fn(&K) -> Option<u64> + Send + Sync>;

/// A predicate of kube-runtime, for any type of it.
pub(crate) fn property<K: 'static>(predicate: impl Predicate<K> + Send + Sync + 'static) -> Property<K> {
    Arc::new(move |object| predicate.hash_property(object))
}

/// The hashes of the resources that are in the cache of one shard.
///
/// kube-runtime's `predicate_filter` does the same, but it does not notice that a resource has left the cache. A retry that comes due meanwhile finds
/// no resource and is dropped; when the resource is back (somebody removed its bucket label, and it was restored), its hash is the same as before,
/// and nobody would reconcile it.
pub(crate) struct News<K> {
    property: Option<Property<K>>,
    known: Mutex<HashMap<String, u64>>,
}

impl<K: Resource> News<K> {
    pub(crate) fn new(property: Option<Property<K>>) -> Arc<Self> {
        Arc::new(Self { property, known: Mutex::default() })
    }

    /// Whether the reconciler has to be called for this state of the resource. Each change of one that is being deleted is news.
    pub(crate) fn is_news(&self, object: &K) -> bool {
        let Some(property) = &self.property else { return true };
        if object.meta().deletion_timestamp.is_some() {
            return true;
        }
        let (Some(hash), Some(uid)) = (property(object), object.uid()) else { return true };
        self.known.lock().insert(uid, hash) != Some(hash)
    }

    /// The resource has left the cache.
    pub(crate) fn forget(&self, uid: &str) {
        self.known.lock().remove(uid);
    }
}
