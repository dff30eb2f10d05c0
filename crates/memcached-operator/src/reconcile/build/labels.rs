//! Names and labels that the children share.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::crd::DOMAIN;
use crate::reconcile::FIELD_MANAGER;
use crate::reconcile::validate::Fleet;

/// The label that finds the pods of one resource. It is immutable in a StatefulSet, so it may never change.
///
/// In the operator's own domain, and nothing else: a Pod of another chart may well be `app.kubernetes.io/name: memcached` and have the
/// instance's name, and would become an endpoint of the Service and count for the budget.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(format!("{DOMAIN}/memcached"), name.to_owned())])
}

/// The labels of the pods. Without the bucket: restoring a lost bucket must not restart a cache.
pub(super) fn of_pods(fleet: &Fleet) -> BTreeMap<String, String> {
    let mut labels = selector(&fleet.name);
    labels.insert("app.kubernetes.io/name".into(), "memcached".into());
    labels.insert("app.kubernetes.io/instance".into(), fleet.name.clone());
    labels.insert("app.kubernetes.io/managed-by".into(), FIELD_MANAGER.into());
    labels
}

pub(super) fn label_selector(fleet: &Fleet) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&fleet.name)), ..LabelSelector::default() }
}

/// Metadata of a child.
pub(super) fn metadata(fleet: &Fleet, bucket: Option<&(String, String)>) -> ObjectMeta {
    let mut labels = of_pods(fleet);
    labels.extend(bucket.cloned());
    ObjectMeta {
        name: Some(fleet.name.clone()),
        namespace: Some(fleet.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![fleet.owner.clone()]),
        ..ObjectMeta::default()
    }
}
