//! Reads the existing children.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use shard_router::Held;

use super::error::ReconcileError;
use super::ownership;
use crate::crd::Memcached;

/// The last seen state of the children. All of them belong to the resource, and none is being deleted.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The servers.
    pub stateful_set: Option<Arc<StatefulSet>>,
    /// Their DNS names.
    pub service: Option<Arc<Service>>,
    /// Their budget.
    pub pod_disruption_budget: Option<Arc<PodDisruptionBudget>>,
}

/// Reads the children from the shard's caches. There is no request unless one of them does not decode.
///
/// A cache may be out of date. Its uids and versions are preconditions of the writes that follow, so such a write
/// fails with a conflict.
///
/// # Errors
///
/// If an object belongs to somebody else, or is being deleted.
pub async fn cached(held: &Held, memcached: &Memcached) -> Result<Observed, ReconcileError> {
    Ok(Observed {
        stateful_set: one_cached(held, memcached).await?,
        service: one_cached(held, memcached).await?,
        pod_disruption_budget: one_cached(held, memcached).await?,
    })
}

async fn one_cached<K>(held: &Held, memcached: &Memcached) -> Result<Option<Arc<K>>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let name = memcached.metadata.name.as_deref().unwrap_or_default();
    let Ok(found) = held.owned::<K>(name) else {
        // The answer to a request says what is wrong with it.
        return one(&held.client(), memcached).await;
    };
    if let Some(object) = &found {
        ownership::check(object.meta(), memcached, &format!("{} {name}", K::kind(&())))?;
    }
    Ok(found)
}

/// Reads the children from the API server.
///
/// # Errors
///
/// If the API server refused the request or did not answer in time, or if an object belongs to somebody else or is being deleted.
pub async fn children(client: &Client, memcached: &Memcached) -> Result<Observed, ReconcileError> {
    let (stateful_set, service, pod_disruption_budget) =
        tokio::try_join!(one(client, memcached), one(client, memcached), one(client, memcached))?;
    Ok(Observed { stateful_set, service, pod_disruption_budget })
}

/// Reads one child, if it exists. An object that belongs to somebody else, or is being deleted, is an error.
pub(super) async fn one<K>(client: &Client, memcached: &Memcached) -> Result<Option<Arc<K>>, ReconcileError>
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
    Ok(found.map(Arc::new))
}
