//! [`OwnedCache`]: the objects of one owned type, as JSON.
//!
//! Most children are only looked at when their resource is reconciled, but are kept all the time. As JSON without `managedFields` an object takes a few
//! kilobytes; as a type of k8s-openapi, with room for each field that it does not have, several times as much. It is decoded when a reconcile asks for it, which takes
//! microseconds.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData, sync::Arc};

use kube::{Resource, core::ObjectMeta};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::super::OwnedError;
use crate::{
    kind_type::KindType,
    sharded::qualified,
    watch::lenient::{Lenient, Undecodable},
};

/// Namespace and name.
pub(super) type Key = (String, String);

/// The objects of one owned type, by namespace and name.
pub(in super::super) struct OwnedCache<C> {
    objects: RwLock<BTreeMap<Key, Kept>>,
    object: PhantomData<fn() -> C>,
}

impl<C> Default for OwnedCache<C> {
    fn default() -> Self {
        Self { objects: RwLock::default(), object: PhantomData }
    }
}

/// An object in the cache.
pub(super) enum Kept {
    Json(Box<[u8]>),
    Undecodable(Box<Undecodable>),
}

impl Kept {
    /// `managedFields` are needed only in the rare case that a difference is found, and they are most of the size of an object.
    pub(super) fn new<C: Resource + Serialize>(object: Lenient<C>) -> Self {
        match object {
            Lenient::Decoded(mut object) => {
                object.meta_mut().managed_fields = None;
                match serde_json::to_vec(&object) {
                    Ok(json) => Self::Json(json.into_boxed_slice()),
                    Err(error) => {
                        Self::Undecodable(Box::new(Undecodable::unwritable(object.meta().clone(), &error)))
                    }
                }
            }
            Lenient::Undecodable(object) => Self::Undecodable(object),
        }
    }

    pub(super) fn metadata(&self) -> Cow<'_, ObjectMeta> {
        #[derive(Deserialize)]
        struct Metadata {
            metadata: ObjectMeta,
        }
        match self {
            Self::Json(json) => {
                let decoded = serde_json::from_slice::<Metadata>(json);
                Cow::Owned(decoded.map(|object| object.metadata).unwrap_or_default())
            }
            Self::Undecodable(object) => Cow::Borrowed(object.metadata()),
        }
    }

    /// The resourceVersion is a part of the object, so equal JSON is the same state.
    fn is_same_state(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Json(this), Self::Json(other)) => this == other,
            _ => self.metadata().resource_version == other.metadata().resource_version,
        }
    }
}

impl<C> OwnedCache<C> {
    pub(super) fn put(&self, key: Key, object: Kept) -> Option<Kept> {
        self.objects.write().insert(key, object)
    }

    pub(super) fn remove(&self, key: &Key) -> Option<Kept> {
        self.objects.write().remove(key)
    }

    /// Replaces the objects of a namespace, or all objects, by a complete list. Returns the metadata of objects that are new, changed or gone.
    pub(super) fn replace(&self, namespace: Option<&str>, listed: BTreeMap<Key, Kept>) -> Vec<ObjectMeta> {
        let mut objects = self.objects.write();
        let of_list = |key: &Key| namespace.is_none_or(|namespace| key.0 == namespace);
        let gone: Vec<_> =
            objects.keys().filter(|key| of_list(key) && !listed.contains_key(*key)).cloned().collect();
        let gone = gone.iter().filter_map(|key| objects.remove(key));
        let mut changed: Vec<_> = gone.map(|gone| gone.metadata().into_owned()).collect();
        for (key, object) in listed {
            if !objects.get(&key).is_some_and(|before| before.is_same_state(&object)) {
                changed.push(object.metadata().into_owned());
            }
            objects.insert(key, object);
        }
        changed
    }
}

impl<C: Resource + DeserializeOwned> OwnedCache<C> {
    pub(in super::super) fn get(
        &self,
        kind: &KindType,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<C>>, OwnedError> {
        let undecodable = |error: String| OwnedError::Undecodable {
            kind: kind.api.kind.clone(),
            name: qualified(Some(namespace), name),
            error,
        };
        match self.objects.read().get(&(namespace.to_owned(), name.to_owned())) {
            None => Ok(None),
            Some(Kept::Json(json)) => {
                let object = serde_json::from_slice(json).map_err(|error| undecodable(error.to_string()))?;
                Ok(Some(Arc::new(object)))
            }
            Some(Kept::Undecodable(object)) => Err(undecodable(object.error().to_owned())),
        }
    }
}
