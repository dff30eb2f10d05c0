//! Objects for the unit tests.

use serde_json::{Value, json};

use crate::crd::Memcached;

/// A resource as the API server would hand it out.
pub(crate) fn memcached(spec: impl Into<Value>) -> Memcached {
    serde_json::from_value(json!({
        "apiVersion": "cache.example.com/v1alpha1",
        "kind": "Memcached",
        "metadata": {"name": "sessions", "namespace": "shop", "uid": "uid-1", "generation": 3},
        "spec": spec.into(),
    }))
    .expect("a Memcached")
}

/// The bucket label that a held shard would hand out.
pub(crate) fn bucket() -> (String, String) {
    ("cache.example.com/bucket".into(), "17".into())
}
