//! Whose an object is that bears the name of a child.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use super::FIELD_MANAGER;
use super::error::ReconcileError;
use crate::crd::Memcached;

/// Nothing to object to if the object belongs to the resource and is to stay; `child` is its kind and name.
pub(super) fn check(meta: &ObjectMeta, memcached: &Memcached, child: &str) -> Result<(), ReconcileError> {
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let mine = match controller {
        Some(owner) => is_memcached(owner) && Some(&owner.name) == memcached.metadata.name.as_ref(),
        // Nobody's: made by hand, or stripped of its owner by hand. If it bears our labels it is the latter.
        None => bears_our_labels(meta, memcached),
    };
    if !mine {
        let owner = match controller {
            Some(owner) => format!("it belongs to {} {} ({})", owner.kind, owner.name, owner.api_version),
            None => "it has no controller".into(),
        };
        return Err(ReconcileError::NotOurs { child: child.to_owned(), owner });
    }
    let leftover = controller.is_some_and(|owner| Some(&owner.uid) != memcached.metadata.uid.as_ref());
    match &meta.deletion_timestamp {
        Some(since) => Err(ReconcileError::Terminating {
            child: child.to_owned(),
            since: since.0.to_string(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
        }),
        None if leftover => Err(ReconcileError::Leftover { child: child.to_owned() }),
        None => Ok(()),
    }
}

/// Other API groups may well have a kind of the same name. The version within the group does not matter.
fn is_memcached(owner: &OwnerReference) -> bool {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    group == Memcached::group(&()) && owner.kind == Memcached::kind(&())
}

fn bears_our_labels(meta: &ObjectMeta, memcached: &Memcached) -> bool {
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
    label("app.kubernetes.io/managed-by").is_some_and(|by| by == FIELD_MANAGER)
        && label("app.kubernetes.io/instance") == memcached.metadata.name.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::build::build;
    use crate::reconcile::testing::{bucket, memcached};
    use crate::reconcile::validate::validate;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    fn judged(change: impl FnOnce(&mut ObjectMeta)) -> Result<(), ReconcileError> {
        let mut service = build(&validate(&memcached(json!({}))).expect("valid"), &bucket()).service;
        change(&mut service.metadata);
        check(&service.metadata, &memcached(json!({})), "Service sessions")
    }

    fn owner(meta: &mut ObjectMeta) -> &mut OwnerReference {
        &mut meta.owner_references.as_mut().expect("owners")[0]
    }

    #[test]
    fn a_child_belongs_by_uid() {
        assert!(judged(|_| ()).is_ok());
    }

    #[test]
    fn another_version_of_the_same_group_is_the_same_kind() {
        assert!(judged(|meta| owner(meta).api_version = "cache.example.com/v1".into()).is_ok());
    }

    #[test]
    fn a_namesakes_child_is_waited_for() {
        let result = judged(|meta| owner(meta).uid = "old".into());
        assert!(matches!(result, Err(ReconcileError::Leftover { .. })), "{result:?}");
    }

    #[test]
    fn an_owner_of_another_group_kind_or_name_is_a_stranger() {
        let changes: [fn(&mut OwnerReference); 4] = [
            |owner| owner.api_version = "cache.example.org/v1alpha1".into(),
            |owner| owner.api_version = "v1".into(),
            |owner| owner.kind = "Redis".into(),
            |owner| owner.name = "other".into(),
        ];
        for change in changes {
            let result = judged(|meta| {
                owner(meta).uid = "old".into();
                change(owner(meta));
            });
            assert!(matches!(result, Err(ReconcileError::NotOurs { .. })), "{result:?}");
            assert!(judged(|meta| change(owner(meta))).is_err(), "the uid alone does not make it ours");
        }
    }

    #[test]
    fn a_stranger_is_left_alone_even_when_it_is_being_deleted() {
        for deleted in [None, Some(Time("2026-01-02T03:04:05Z".parse().expect("a time")))] {
            let result = judged(|meta| {
                meta.owner_references = None;
                meta.labels = None;
                meta.deletion_timestamp = deleted;
            });
            let message = result.expect_err("nobody's").to_string();
            assert!(message.contains("exists and does not belong to this Memcached"), "{message}");
        }
    }

    #[test]
    fn a_stripped_child_is_taken_back() {
        assert!(judged(|meta| meta.owner_references = None).is_ok());
    }

    #[test]
    fn what_a_child_that_is_being_deleted_waits_for_is_named() {
        let result = judged(|meta| {
            meta.deletion_timestamp = Some(Time("2026-01-02T03:04:05Z".parse().expect("a time")));
            meta.finalizers = Some(vec!["example.com/backup".into()]);
        });
        let message = result.expect_err("has to wait").to_string();
        for phrase in ["2026-01-02T03:04:05Z", "example.com/backup"] {
            assert!(message.contains(phrase), "{phrase} is missing in {message}");
        }
    }
}
