//! Reads the existing children.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use shard_router::{Applier, Held, OwnedResource, Owner};

use super::error::ReconcileError;
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
pub async fn cached(
    held: &Held,
    memcached: &Memcached,
    applier: &Applier,
) -> Result<Observed, ReconcileError> {
    Ok(Observed {
        stateful_set: one_cached(held, memcached, applier).await?,
        service: one_cached(held, memcached, applier).await?,
        pod_disruption_budget: one_cached(held, memcached, applier).await?,
    })
}

async fn one_cached<K>(
    held: &Held,
    memcached: &Memcached,
    applier: &Applier,
) -> Result<Option<Arc<K>>, ReconcileError>
where
    K: OwnedResource,
{
    let name = memcached.metadata.name.as_deref().unwrap_or_default();
    let Ok(found) = held.owned::<K>(name) else {
        // The answer to a request says what is wrong with it.
        return one(&held.client(), memcached, applier).await;
    };
    if let Some(object) = &found {
        applier.check_owner(&Owner::of(memcached), object.as_ref())?;
    }
    Ok(found)
}

/// Reads the children from the API server.
///
/// # Errors
///
/// If the API server refused the request or did not answer in time, or if an object belongs to somebody else or is being deleted.
pub async fn children(
    client: &Client,
    memcached: &Memcached,
    applier: &Applier,
) -> Result<Observed, ReconcileError> {
    let (stateful_set, service, pod_disruption_budget) = tokio::try_join!(
        one(client, memcached, applier),
        one(client, memcached, applier),
        one(client, memcached, applier)
    )?;
    Ok(Observed { stateful_set, service, pod_disruption_budget })
}

/// Reads one child, if it exists. An object that belongs to somebody else, or is being deleted, is an error.
async fn one<K>(
    client: &Client,
    memcached: &Memcached,
    applier: &Applier,
) -> Result<Option<Arc<K>>, ReconcileError>
where
    K: OwnedResource,
{
    let name = memcached.metadata.name.as_deref().unwrap_or_default();
    Ok(applier.get(client, &Owner::of(memcached), name).await?)
}
