//! Whose an object is that has the name of a child.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{digest::Digest, error::ApplyError, owner::Owner};

/// Succeeds if the object belongs to the resource and is to stay; `child` is its kind and name.
pub(super) fn check(
    meta: &ObjectMeta,
    owner: &Owner,
    digest: &Digest,
    child: &str,
) -> Result<(), ApplyError> {
    let controller = Owner::controller_of(meta);
    let is_ours = match controller {
        Some(reference) => owner.is_named_by(reference),
        // Nobody's: created by hand, or somebody has removed its owner. With our digest it is the latter.
        None => digest.is_on(meta),
    };
    let owner_kind = || owner.reference.kind.clone();
    if !is_ours {
        let described = match controller {
            Some(owner) => format!("it belongs to {} {} ({})", owner.kind, owner.name, owner.api_version),
            None => "it has no controller".to_owned(),
        };
        return Err(ApplyError::NotOurs {
            child: child.to_owned(),
            owner_kind: owner_kind(),
            owner: described,
        });
    }
    let is_leftover = controller.is_some_and(|reference| reference.uid != owner.reference.uid);
    match &meta.deletion_timestamp {
        Some(since) => Err(ApplyError::Terminating {
            child: child.to_owned(),
            since: since.0.to_string(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
        }),
        None if is_leftover => {
            Err(ApplyError::Leftover { child: child.to_owned(), owner_kind: owner_kind() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::ConfigMap,
        apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
    };
    use serde_json::json;

    use super::*;
    use crate::testing::Gadget;

    fn owner() -> Owner {
        let gadget: Gadget = serde_json::from_value(json!({
            "apiVersion": "example.com/v1", "kind": "Gadget",
            "metadata": {"namespace": "shop", "name": "sessions", "uid": "u1"}, "spec": {},
        }))
        .unwrap();
        Owner::of(&gadget)
    }

    fn judged(change: impl FnOnce(&mut ObjectMeta)) -> Result<(), ApplyError> {
        let digest = Digest::new("example.com");
        let mut child = ConfigMap::default();
        child.metadata.owner_references = Some(vec![owner().reference]);
        digest.write(&mut child);
        change(&mut child.metadata);
        check(&child.metadata, &owner(), &digest, "ConfigMap sessions")
    }

    fn reference(meta: &mut ObjectMeta) -> &mut OwnerReference {
        &mut meta.owner_references.as_mut().unwrap()[0]
    }

    fn version(meta: &mut ObjectMeta, version: &str) {
        reference(meta).api_version = version.into();
    }

    #[test]
    fn a_child_belongs_by_uid() {
        assert!(judged(|_| ()).is_ok());
    }

    #[test]
    fn another_version_of_the_same_group_is_the_same_kind() {
        let group = owner().reference.api_version.split_once('/').unwrap().0.to_owned();
        assert!(judged(|meta| version(meta, &format!("{group}/v9"))).is_ok());
    }

    #[test]
    fn a_child_of_an_earlier_resource_of_the_same_name_is_waited_for() {
        let result = judged(|meta| reference(meta).uid = "old".into());
        assert!(matches!(result, Err(ApplyError::Leftover { .. })), "{result:?}");
    }

    #[test]
    fn an_owner_of_another_group_kind_or_name_is_a_stranger() {
        let changes: [fn(&mut OwnerReference); 4] = [
            |owner| owner.api_version = "example.org/v1".into(),
            |owner| owner.api_version = "v1".into(),
            |owner| owner.kind = "Redis".into(),
            |owner| owner.name = "other".into(),
        ];
        for change in changes {
            let result = judged(|meta| change(reference(meta)));
            assert!(
                matches!(result, Err(ApplyError::NotOurs { .. })),
                "{result:?}: the uid alone does not make it ours"
            );
        }
    }

    #[test]
    fn a_stranger_is_left_alone_even_when_it_is_being_deleted() {
        for deleted in [None, Some(Time("2026-01-02T03:04:05Z".parse().unwrap()))] {
            let result = judged(|meta| {
                meta.owner_references = None;
                meta.annotations = None;
                meta.deletion_timestamp = deleted;
            });
            let message = result.unwrap_err().to_string();
            assert!(message.contains("exists and does not belong to this Gadget"), "{message}");
        }
    }

    #[test]
    fn a_child_without_its_owner_reference_is_taken_back() {
        assert!(judged(|meta| meta.owner_references = None).is_ok());
    }

    #[test]
    fn what_a_child_that_is_being_deleted_waits_for_is_named() {
        let result = judged(|meta| {
            meta.deletion_timestamp = Some(Time("2026-01-02T03:04:05Z".parse().unwrap()));
            meta.finalizers = Some(vec!["example.com/backup".into()]);
        });
        let message = result.unwrap_err().to_string();
        for phrase in ["2026-01-02T03:04:05Z", "example.com/backup"] {
            assert!(message.contains(phrase), "{phrase} is missing in {message}");
        }
    }
}
