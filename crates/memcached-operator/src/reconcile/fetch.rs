//! What is there already.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::error::ReconcileError;
use crate::crd::Memcached;

/// The children as the API server has them now; all of them belong to the resource, and none is being deleted.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The servers.
    pub stateful_set: Option<StatefulSet>,
    /// Their DNS names.
    pub service: Option<Service>,
    /// Their budget.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
}

/// The resource itself, if it is still the one that was seen and is to stay.
///
/// Not from the cache: a cache that does not show this operator's own last status yet would let a change go unreported,
/// and an old version would be a precondition that fails.
pub async fn current(client: &Client, seen: &Memcached) -> Result<Option<Memcached>, ReconcileError> {
    let meta = &seen.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<Memcached> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let found = api.get_opt(name).await;
    let found =
        found.map_err(|source| ReconcileError::Read { object: format!("Memcached {name}"), source })?;
    // A namesake is for a reconcile of its own. One that is being deleted needs nothing: its children go with it.
    Ok(found.filter(|found| found.metadata.uid == meta.uid && found.metadata.deletion_timestamp.is_none()))
}

/// Reads the children. Not from a cache either: the uids read here are preconditions of the writes that follow, and tell a
/// child apart from a stranger of the same name.
pub async fn children(client: &Client, memcached: &Memcached) -> Result<Observed, ReconcileError> {
    let (stateful_set, service, pod_disruption_budget) =
        tokio::try_join!(one(client, memcached), one(client, memcached), one(client, memcached))?;
    Ok(Observed { stateful_set, service, pod_disruption_budget })
}

async fn one<K>(client: &Client, memcached: &Memcached) -> Result<Option<K>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let meta = &memcached.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let child = || format!("{} {name}", K::kind(&()));
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::Read { object: child(), source })?;
    match &found {
        Some(object) => belongs(object, memcached, child()).map(|()| found),
        None => Ok(None),
    }
}

fn belongs<K: Resource>(object: &K, memcached: &Memcached, child: String) -> Result<(), ReconcileError> {
    if object.meta().deletion_timestamp.is_some() {
        return Err(ReconcileError::Terminating { child });
    }
    let controller =
        object.meta().owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    match controller {
        Some(owner) if Some(&owner.uid) == memcached.metadata.uid.as_ref() => Ok(()),
        // The garbage collector is about to remove it.
        Some(owner) if owner.kind == "Memcached" && Some(&owner.name) == memcached.metadata.name.as_ref() => {
            Err(ReconcileError::Terminating { child })
        }
        Some(owner) => Err(ReconcileError::NotOurs {
            child,
            owner: format!("it belongs to {} {}", owner.kind, owner.name),
        }),
        // Nobody's: made by hand, or stripped of its owner by hand. If it bears our labels it is the latter.
        None if bears_our_labels(object, memcached) => Ok(()),
        None => Err(ReconcileError::NotOurs { child, owner: "it has no controller".into() }),
    }
}

fn bears_our_labels<K: Resource>(object: &K, memcached: &Memcached) -> bool {
    let labels = object.meta().labels.clone().unwrap_or_default();
    labels.get("app.kubernetes.io/managed-by").is_some_and(|by| by == super::FIELD_MANAGER)
        && labels.get("app.kubernetes.io/instance") == memcached.metadata.name.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::build::build;
    use crate::reconcile::testing::{bucket, memcached};
    use crate::reconcile::validate::validate;
    use serde_json::json;

    fn ours() -> Service {
        build(&validate(&memcached(json!({}))).expect("valid"), &bucket()).service
    }

    fn judged(change: impl FnOnce(&mut Service)) -> Result<(), ReconcileError> {
        let mut service = ours();
        change(&mut service);
        belongs(&service, &memcached(json!({})), "Service sessions".into())
    }

    #[test]
    fn a_child_belongs_by_uid() {
        assert!(judged(|_| ()).is_ok());
    }

    #[test]
    fn a_namesakes_child_is_waited_for() {
        let result = judged(|service| {
            service.metadata.owner_references.as_mut().expect("owners")[0].uid = "old".into();
        });
        assert!(result.expect_err("another uid").is_conflict());
    }

    #[test]
    fn a_stranger_is_left_alone() {
        let result = judged(|service| {
            service.metadata.owner_references = None;
            service.metadata.labels = None;
        });
        let message = result.expect_err("nobody's").to_string();
        assert!(message.contains("exists and does not belong to this Memcached"), "{message}");
    }

    #[test]
    fn a_stripped_child_is_taken_back() {
        assert!(judged(|service| service.metadata.owner_references = None).is_ok());
    }
}
