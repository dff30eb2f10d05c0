//! A digest of what is applied, kept on each child as an annotation.
//!
//! Whether a field that is wanted differs can be seen in the object. Whether one was applied that is not wanted any more cannot: it may as well
//! be somebody else's. Another digest than that of what is wanted says that something else was applied, and another apply removes
//! what only that had.

use std::hash::Hasher;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;

use crate::crd::DOMAIN;

/// The name of the annotation, in the operator's own domain.
fn annotation() -> String {
    format!("{DOMAIN}/applied-digest")
}

/// The child with the digest of all the rest of it.
pub(super) fn with<K: Resource + Serialize>(mut child: K) -> K {
    let mut hasher = fnv::FnvHasher::default();
    // What is built can be written as JSON; the API server would not get it otherwise.
    hasher.write(&serde_json::to_vec(&child).unwrap_or_default());
    let digest = format!("{:016x}", hasher.finish());
    child.meta_mut().annotations.get_or_insert_default().insert(annotation(), digest);
    child
}

/// Whether the same was applied.
pub(in crate::reconcile) fn is_same(desired: &ObjectMeta, seen: &ObjectMeta) -> bool {
    let of = |meta: &ObjectMeta| meta.annotations.as_ref()?.get(&annotation()).cloned();
    of(desired) == of(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    fn service(spec: &serde_json::Value) -> Service {
        with(serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec})).expect("a Service"))
    }

    #[test]
    fn a_field_that_is_not_wanted_any_more_shows() {
        let before = service(&json!({"clusterIP": "None", "sessionAffinity": "ClientIP"}));
        let after = service(&json!({"clusterIP": "None"}));
        assert!(!is_same(before.meta(), after.meta()));
        assert!(is_same(after.meta(), service(&json!({"clusterIP": "None"})).meta()));
        assert!(!is_same(after.meta(), &ObjectMeta::default()), "a child of a version that kept no digest");
    }
}
