//! What is there already.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::error::ReconcileError;
use super::ownership;
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
///
/// # Errors
///
/// The API server refused, or did not answer in time.
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

/// Reads the children. Not from a cache either: the uids and versions read here are preconditions of the writes that follow,
/// and owners tell a child apart from a stranger of the same name.
///
/// # Errors
///
/// The API server refused, or did not answer in time.
pub async fn children(client: &Client, memcached: &Memcached) -> Result<Observed, ReconcileError> {
    let (stateful_set, service, pod_disruption_budget) =
        tokio::try_join!(one(client, memcached), one(client, memcached), one(client, memcached))?;
    Ok(Observed { stateful_set, service, pod_disruption_budget })
}

/// Reads one child, if it is there. An object that is somebody else's, or on its way out, is an error.
pub(super) async fn one<K>(client: &Client, memcached: &Memcached) -> Result<Option<K>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let meta = &memcached.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let child = || format!("{} {name}", K::kind(&()));
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::Read { object: child(), source })?;
    if let Some(object) = &found {
        ownership::check(object.meta(), memcached, &child())?;
    }
    Ok(found)
}
