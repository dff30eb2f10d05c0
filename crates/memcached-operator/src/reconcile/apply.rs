//! Server-side apply of the children.
//!
//! With force: what this operator builds is its own, and drift is healed whoever caused it. What it does not set —
//! annotations of others, a sidecar's fields — stays as it is, because server-side apply only touches the fields applied.
//!
//! Force decides about fields, not about objects: each write depends on what was seen (see `precondition`), so an object
//! that somebody else made, or made anew, since then is never rewritten.

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
use super::fetch::{self, Observed};
use super::precondition;
use crate::crd::Memcached;

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
///
/// # Errors
/// When a child could not be written, or turned out to be somebody else's.
pub async fn apply(
    client: &Client,
    memcached: &Memcached,
    children: Children,
    observed: &Observed,
) -> Result<Applied, ReconcileError> {
    // Before anything else: a Service with the new selector would find none of the Pods that are there.
    keeps_its_selector(&children.stateful_set, observed.stateful_set.as_ref())?;
    let mut writer = Writer { client, memcached, created: Vec::new(), updated: Vec::new() };
    Box::pin(writer.apply(children.service, observed.service.clone())).await?;
    Box::pin(writer.apply(children.pod_disruption_budget, observed.pod_disruption_budget.clone())).await?;
    let stateful_set = Box::pin(writer.apply(children.stateful_set, observed.stateful_set.clone())).await?;
    Ok(Applied { stateful_set, created: writer.created, updated: writer.updated })
}

fn keeps_its_selector(desired: &StatefulSet, seen: Option<&StatefulSet>) -> Result<(), ReconcileError> {
    let selector = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.selector.clone());
    if seen.is_none_or(|seen| selector(seen) == selector(desired)) {
        return Ok(());
    }
    let name = desired.metadata.name.as_deref().unwrap_or_default();
    Err(ReconcileError::OtherSelector { child: format!("StatefulSet {name}") })
}

struct Writer<'a> {
    client: &'a Client,
    memcached: &'a Memcached,
    created: Vec<String>,
    updated: Vec<String>,
}

impl Writer<'_> {
    /// Applies one child to what was seen of it. If something else is there by then, this looks once: what is the
    /// resource's own is mended, whoever made it; a stranger's object is an error and stays as it is.
    async fn apply<K>(&mut self, mut desired: K, seen: Option<K>) -> Result<K, ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let child = format!("{} {}", K::kind(&()), desired.meta().name.as_deref().unwrap_or_default());
        match self.send(&mut desired, seen, &child).await {
            Err(error) if error.is_conflict() => {
                let seen = fetch::one(self.client, self.memcached).await?;
                self.send(&mut desired, seen, &child).await
            }
            result => result,
        }
    }

    async fn send<K>(&mut self, desired: &mut K, seen: Option<K>, child: &str) -> Result<K, ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        precondition::require(desired.meta_mut(), seen.as_ref().map(Resource::meta));
        let meta = desired.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let applied = api.patch(name, &params, &Patch::Apply(&*desired)).await;
        let applied = applied.map_err(|source| ReconcileError::Apply { child: child.to_owned(), source })?;
        match &seen {
            None => self.created.push(child.to_owned()),
            Some(before) if changed(before, &applied) => self.updated.push(child.to_owned()),
            Some(_) => {}
        }
        Ok(applied)
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
