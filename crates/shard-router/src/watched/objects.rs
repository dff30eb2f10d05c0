//! The cached objects of a watched type.

use std::{collections::BTreeMap, sync::Arc};

use kube::{Resource, core::ObjectMeta};
use parking_lot::RwLock;

use crate::{
    owned_resource::OwnedResource,
    watch::lenient::{Lenient, Undecodable},
};

/// Namespace and name.
pub(super) type Key = (String, String);

/// Which object it is, and in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// A change of one object. Neither state is there if the object did not decode before and does not decode now.
#[derive(Debug)]
pub(super) struct Change<W> {
    pub(super) before: Option<Arc<W>>,
    pub(super) after: Option<Arc<W>>,
}

#[derive(Debug)]
enum Kept<W> {
    Decoded(Arc<W>),
    Undecodable(Box<Undecodable>),
}

/// The objects by namespace and name.
pub(super) struct Objects<W>(RwLock<BTreeMap<Key, Kept<W>>>);

/// A list in progress.
pub(super) struct Listing<W>(BTreeMap<Key, Kept<W>>);

impl<W> Default for Objects<W> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<W> Default for Listing<W> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<W: OwnedResource> Listing<W> {
    pub(super) fn add(&mut self, object: Lenient<W>) {
        self.0.insert(key(object.meta()), Kept::new(object));
    }
}

impl<W: OwnedResource> Objects<W> {
    /// The object, or the error with which it does not decode.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Result<Option<Arc<W>>, String> {
        match self.0.read().get(&(namespace.to_owned(), name.to_owned())) {
            None => Ok(None),
            Some(Kept::Decoded(object)) => Ok(Some(object.clone())),
            Some(Kept::Undecodable(object)) => Err(object.error().to_owned()),
        }
    }

    pub(super) fn put(&self, object: Lenient<W>) -> Change<W> {
        let (key, after) = (key(object.meta()), Kept::new(object));
        let after_state = after.decoded();
        let before = self.0.write().insert(key, after);
        Change { before: before.and_then(Kept::into_decoded), after: after_state }
    }

    pub(super) fn remove(&self, object: &ObjectMeta) -> Change<W> {
        let before = self.0.write().remove(&key(object));
        Change { before: before.and_then(Kept::into_decoded), after: None }
    }

    /// Replaces the objects of a namespace, or all objects, by a complete list. Returns what is new, changed or gone.
    pub(super) fn replace(&self, namespace: Option<&str>, listing: Listing<W>) -> Vec<Change<W>> {
        let mut objects = self.0.write();
        let of_list = |key: &Key| namespace.is_none_or(|namespace| key.0 == namespace);
        let gone: Vec<_> =
            objects.keys().filter(|key| of_list(key) && !listing.0.contains_key(*key)).cloned().collect();
        let gone = gone.iter().filter_map(|key| objects.remove(key));
        let mut changes: Vec<_> =
            gone.map(|gone| Change { before: gone.into_decoded(), after: None }).collect();
        for (key, object) in listing.0 {
            let (after, version) = (object.decoded(), object.version());
            let before = objects.insert(key, object);
            if before.as_ref().is_none_or(|before| before.version() != version) {
                changes.push(Change { before: before.and_then(Kept::into_decoded), after });
            }
        }
        changes
    }

    /// Whether the objects of the namespace, or all objects, are exactly these, in these states.
    pub(super) fn are(&self, namespace: Option<&str>, expected: &BTreeMap<Key, Version>) -> bool {
        let objects = self.0.read();
        let mut ours = objects.iter().filter(|(key, _)| namespace.is_none_or(|namespace| key.0 == namespace));
        let mut expected = expected.iter();
        loop {
            match (ours.next(), expected.next()) {
                (None, None) => return true,
                (Some((key, object)), Some((expected, version)))
                    if key == expected && object.version() == *version => {}
                _ => return false,
            }
        }
    }
}

impl<W: OwnedResource> Kept<W> {
    /// `managedFields` are most of the size of many objects.
    fn new(object: Lenient<W>) -> Self {
        match object {
            Lenient::Decoded(mut object) => {
                object.meta_mut().managed_fields = None;
                Self::Decoded(Arc::new(object))
            }
            Lenient::Undecodable(object) => Self::Undecodable(object),
        }
    }

    fn version(&self) -> Version {
        Version::of(match self {
            Self::Decoded(object) => object.meta(),
            Self::Undecodable(object) => object.metadata(),
        })
    }

    fn decoded(&self) -> Option<Arc<W>> {
        match self {
            Self::Decoded(object) => Some(object.clone()),
            Self::Undecodable(_) => None,
        }
    }

    fn into_decoded(self) -> Option<Arc<W>> {
        match self {
            Self::Decoded(object) => Some(object),
            Self::Undecodable(_) => None,
        }
    }
}

impl Version {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self { uid: meta.uid.clone(), resource_version: meta.resource_version.clone() }
    }
}

pub(super) fn key(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.uid = Some(format!("uid-of-{name}"));
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    fn listed(objects: &[ConfigMap]) -> Listing<ConfigMap> {
        let mut listing = Listing::default();
        for object in objects {
            listing.add(object.clone().into());
        }
        listing
    }

    fn versions(objects: &[ConfigMap]) -> BTreeMap<Key, Version> {
        objects.iter().map(|object| (key(&object.metadata), Version::of(&object.metadata))).collect()
    }

    /// The versions before and after.
    fn told(changes: &[Change<ConfigMap>]) -> Vec<(Option<&str>, Option<&str>)> {
        fn version(object: Option<&Arc<ConfigMap>>) -> Option<&str> {
            object?.metadata.resource_version.as_deref()
        }
        changes
            .iter()
            .map(|change| (version(change.before.as_ref()), version(change.after.as_ref())))
            .collect()
    }

    #[test]
    fn a_list_says_what_is_new_changed_or_gone() {
        let objects = Objects::default();
        objects.replace(None, listed(&[object("gone", "1"), object("kept", "2"), object("changed", "3")]));
        let later = [object("kept", "2"), object("changed", "5"), object("new", "4")];
        let changes = objects.replace(None, listed(&later));
        assert_eq!(told(&changes), [(Some("1"), None), (Some("3"), Some("5")), (None, Some("4"))]);
        assert!(objects.are(None, &versions(&later)));
    }

    #[test]
    fn a_cache_is_a_list_only_if_it_has_the_same_objects_in_the_same_states() {
        let objects = Objects::default();
        let now = [object("a", "1"), object("b", "2")];
        objects.replace(None, listed(&now));
        assert!(objects.are(None, &versions(&now)) && objects.are(Some("ns"), &versions(&now)));
        for other in [
            vec![object("a", "1")],
            vec![object("a", "1"), object("b", "3")],
            vec![object("a", "1"), object("b", "2"), object("c", "3")],
        ] {
            assert!(!objects.are(None, &versions(&other)), "{other:?}");
        }
        let mut namesake = object("b", "2");
        namesake.metadata.uid = Some("another".to_owned());
        assert!(!objects.are(None, &versions(&[object("a", "1"), namesake])));
        assert!(objects.are(Some("other"), &BTreeMap::new()), "another namespace is empty");
    }
}
