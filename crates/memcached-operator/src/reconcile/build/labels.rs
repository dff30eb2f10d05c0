//! Names and labels that the children share.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::reconcile::FIELD_MANAGER;
use crate::reconcile::validate::Fleet;

/// The labels that find the pods of one resource. They are immutable in a StatefulSet: none of them may ever change.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".into(), "memcached".into()),
        ("app.kubernetes.io/instance".into(), name.to_owned()),
    ])
}

/// The labels of the pods. Without the bucket: restoring a lost bucket must not restart a cache.
pub(super) fn of_pods(fleet: &Fleet) -> BTreeMap<String, String> {
    let mut labels = selector(&fleet.name);
    labels.insert("app.kubernetes.io/managed-by".into(), FIELD_MANAGER.into());
    labels
}

pub(super) fn label_selector(fleet: &Fleet) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&fleet.name)), ..LabelSelector::default() }
}

/// Metadata of a child.
pub(super) fn metadata(fleet: &Fleet, bucket: &(String, String)) -> ObjectMeta {
    let mut labels = of_pods(fleet);
    labels.insert(bucket.0.clone(), bucket.1.clone());
    ObjectMeta {
        name: Some(fleet.name.clone()),
        namespace: Some(fleet.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![fleet.owner.clone()]),
        ..ObjectMeta::default()
    }
}
