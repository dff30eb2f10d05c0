//! A digest of what is applied, kept on each child as an annotation.
//!
//! The object shows whether a wanted field differs. It does not show whether a field that is not wanted any more was applied: somebody else may have
//! set it. A digest other than that of what is wanted says that something else was applied, and another apply removes what only that had.
//! `managedFields` would show it as well, and take more memory in the cache than all the rest of a child.

use std::hash::Hasher;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;

/// The annotation.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    annotation: String,
}

impl Digest {
    /// In this domain: `<domain>/applied-digest`.
    pub(super) fn new(domain: &str) -> Self {
        Self { annotation: format!("{domain}/applied-digest") }
    }

    /// Writes the digest of all the rest of the child.
    pub(super) fn write<C: Resource + Serialize>(&self, child: &mut C) {
        let mut hasher = fnv::FnvHasher::default();
        // What is built can be written as JSON; the API server would not get it otherwise.
        hasher.write(&serde_json::to_vec(child).unwrap_or_default());
        let digest = format!("{:016x}", hasher.finish());
        child.meta_mut().annotations.get_or_insert_default().insert(self.annotation.clone(), digest);
    }

    /// Whether the same was applied.
    pub(super) fn is_same(&self, desired: &ObjectMeta, seen: &ObjectMeta) -> bool {
        self.of(desired) == self.of(seen)
    }

    /// Whether an object has a digest at all.
    pub(super) fn is_on(&self, meta: &ObjectMeta) -> bool {
        self.of(meta).is_some()
    }

    fn of<'a>(&self, meta: &'a ObjectMeta) -> Option<&'a String> {
        meta.annotations.as_ref()?.get(&self.annotation)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn service(spec: &serde_json::Value) -> Service {
        let mut service = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec})).unwrap();
        Digest::new("example.com").write(&mut service);
        service
    }

    #[test]
    fn a_field_that_is_not_wanted_any_more_shows() {
        let digest = Digest::new("example.com");
        let before = service(&json!({"clusterIP": "None", "sessionAffinity": "ClientIP"}));
        let after = service(&json!({"clusterIP": "None"}));
        assert!(!digest.is_same(before.meta(), after.meta()));
        assert!(digest.is_same(after.meta(), service(&json!({"clusterIP": "None"})).meta()));
        assert!(
            !digest.is_same(after.meta(), &ObjectMeta::default()),
            "a child of a version that kept no digest"
        );
    }
}
