//! Server-side apply of the children.
//!
//! With force: what this operator builds is its own, and drift is healed whoever caused it. What it does not set —
//! annotations of others, a sidecar's fields — stays as it is, because server-side apply only touches the fields applied.
//!
//! Who else writes the same fields is met more and more seldom (see [`mending`](super::mending)). Only fields that are
//! applied count as drift: what mutating admission adds at every write is no reason for another.
//!
//! Force decides about fields, not about objects: each write depends on what was seen (see `precondition`), so an object
//! that somebody else made, or made anew, since then is never rewritten.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use lease_core::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FIELD_MANAGER;
use super::build::Children;
use super::differences::{Difference, differences, managers};
use super::error::ReconcileError;
use super::fetch::{self, Observed};
use super::mending::Mendings;
use super::precondition;
use crate::crd::Memcached;

/// What applying the children came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The servers, as the API server has them now: with their status.
    pub stateful_set: StatefulSet,
    /// Children that were not there, as `Kind name`.
    pub created: Vec<String>,
    /// Children that were there and differed, after a change of the spec.
    pub updated: Vec<String>,
    /// Children that were there and differed although nothing new was asked for: each with its fields and, if known, who else owns them.
    pub mended: Vec<String>,
    /// When to mend a child that differs and was mended too lately.
    pub again: Option<Duration>,
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
    mendings: &Mutex<Mendings>,
    clock: &dyn Clock,
) -> Result<Applied, ReconcileError> {
    // Before anything else: a Service with the new selector would find none of the Pods that are there.
    keeps_its_selector(&children.stateful_set, observed.stateful_set.as_ref())?;
    let mut writer = Writer { client, memcached, mendings, clock, done: Done::default() };
    Box::pin(writer.apply(children.service, observed.service.clone())).await?;
    Box::pin(writer.apply(children.pod_disruption_budget, observed.pod_disruption_budget.clone())).await?;
    let stateful_set = Box::pin(writer.apply(children.stateful_set, observed.stateful_set.clone())).await?;
    let Done { created, updated, mended, again } = writer.done;
    Ok(Applied { stateful_set, created, updated, mended, again })
}

fn keeps_its_selector(desired: &StatefulSet, seen: Option<&StatefulSet>) -> Result<(), ReconcileError> {
    let selector = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.selector.clone());
    if seen.is_none_or(|seen| selector(seen) == selector(desired)) {
        return Ok(());
    }
    let name = desired.metadata.name.as_deref().unwrap_or_default();
    Err(ReconcileError::OtherSelector { child: format!("StatefulSet {name}") })
}

#[derive(Debug, Default)]
struct Done {
    created: Vec<String>,
    updated: Vec<String>,
    mended: Vec<String>,
    again: Option<Duration>,
}

struct Writer<'a> {
    client: &'a Client,
    memcached: &'a Memcached,
    mendings: &'a Mutex<Mendings>,
    clock: &'a dyn Clock,
    done: Done,
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
        let uid = self.memcached.metadata.uid.as_deref().unwrap_or_default();
        let kind = K::kind(&());
        let is_new = self.is_new();
        let differs = seen.as_ref().map(|seen| differences(&*desired, seen)).unwrap_or_default();
        let wait =
            self.mendings().wait(uid, &kind, self.clock.now().boottime.since_origin()).filter(|_| !is_new);
        if let (Some(seen), Some(wait)) = (&seen, wait) {
            if !differs.is_empty() {
                self.done.again = Some(self.done.again.map_or(wait, |again| again.min(wait)));
            }
            return Ok(seen.clone());
        }
        precondition::require(desired.meta_mut(), seen.as_ref().map(Resource::meta));
        let meta = desired.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let applied = api.patch(name, &params, &Patch::Apply(&*desired)).await;
        let applied = applied.map_err(|source| ReconcileError::Apply { child: child.to_owned(), source })?;
        let Some(seen) = seen else {
            self.done.created.push(child.to_owned());
            return Ok(applied);
        };
        if seen.meta().resource_version == applied.meta().resource_version {
            return Ok(applied);
        }
        if is_new {
            self.done.updated.push(child.to_owned());
            return Ok(applied);
        }
        // Counts when nothing differed too: admission that changes an object at every write would be written to for ever.
        self.mendings().mended(uid, &kind, self.clock.now().boottime.since_origin());
        if !differs.is_empty() {
            self.done.mended.push(mending(child, &differs, &seen));
        }
        Ok(applied)
    }

    /// Whether the spec asks for something that has not been applied yet.
    fn is_new(&self) -> bool {
        let observed = self.memcached.status.as_ref().and_then(|status| status.observed_generation);
        observed != self.memcached.metadata.generation
    }

    fn mendings(&self) -> MutexGuard<'_, Mendings> {
        self.mendings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A child that was mended, with the fields and who else writes them: `Service a (spec.ports, also written by kubectl-edit)`.
fn mending<K: Resource>(child: &str, differs: &[Difference], seen: &K) -> String {
    const MOST: usize = 5;
    let mut fields: Vec<String> = differs.iter().take(MOST).map(Difference::path).collect();
    if let Some(more) = differs.len().checked_sub(MOST).filter(|more| *more > 0) {
        fields.push(format!("{more} more"));
    }
    let fields = fields.join(", ");
    let managers = managers(differs, seen.meta().managed_fields.as_deref().unwrap_or_default());
    match managers.as_slice() {
        [] => format!("{child} ({fields})"),
        _ => format!("{child} ({fields}, also written by {})", managers.join(", ")),
    }
}
