//! Server-side apply of the children.
//!
//! With force: what this operator builds is its own, and drift is healed whoever caused it. What it does not set —
//! annotations of others, a sidecar's fields — stays as it is, because server-side apply only touches the fields applied.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FIELD_MANAGER;
use super::build::Children;
use super::error::ReconcileError;
use super::fetch::Observed;

/// What applying the children came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The servers, as the API server has them now: with their status.
    pub stateful_set: StatefulSet,
    /// Children that were not there, as `Kind name`.
    pub created: Vec<String>,
    /// Children that were there and differed.
    pub updated: Vec<String>,
}

/// Applies every child. The Service comes first, so that pods find their names from the start.
pub async fn apply(
    client: &Client,
    children: Children,
    observed: &Observed,
) -> Result<Applied, ReconcileError> {
    let mut changes = Changes::default();
    apply_one(client, children.service, observed.service.as_ref(), &mut changes).await?;
    let budget = observed.pod_disruption_budget.as_ref();
    apply_one(client, children.pod_disruption_budget, budget, &mut changes).await?;
    let servers = observed.stateful_set.as_ref();
    let stateful_set = apply_one(client, children.stateful_set, servers, &mut changes).await?;
    Ok(Applied { stateful_set, created: changes.created, updated: changes.updated })
}

#[derive(Default)]
struct Changes {
    created: Vec<String>,
    updated: Vec<String>,
}

async fn apply_one<K>(
    client: &Client,
    mut desired: K,
    observed: Option<&K>,
    changes: &mut Changes,
) -> Result<K, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    // With the uid, the write is refused if the child was deleted, or made anew, since it was read.
    desired.meta_mut().uid = observed.and_then(|object| object.meta().uid.clone());
    let name = desired.meta().name.clone().unwrap_or_default();
    let api: Api<K> =
        Api::namespaced(client.clone(), desired.meta().namespace.as_deref().unwrap_or_default());
    let child = format!("{} {name}", K::kind(&()));
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch(&name, &params, &Patch::Apply(&desired)).await {
        Ok(applied) => {
            match observed {
                None => changes.created.push(child),
                Some(before) if changed(before, &applied) => changes.updated.push(child),
                Some(_) => {}
            }
            Ok(applied)
        }
        Err(source) => Err(ReconcileError::Apply { child, source }),
    }
}

/// Whether what was asked for changed. Most kinds count that in `generation`, which their status leaves alone; a Service
/// has none.
fn changed<K: Resource>(before: &K, after: &K) -> bool {
    match (before.meta().generation, after.meta().generation) {
        (Some(before), Some(after)) => before != after,
        _ => before.meta().resource_version != after.meta().resource_version,
    }
}
