//! Applies the children, and sums up what has become of them for the status and events.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Client;
use shard_router::{Applier, Change, Dispute, OwnedResource, Owner};

use super::build::Children;
use super::error::ReconcileError;
use super::fetch::Observed;
use super::status;
use crate::crd::Memcached;

/// The result of applying the children.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The servers, as the API server has them now: with their status. `None` if somebody has deleted the StatefulSet and it is too
    /// soon to create it again.
    pub stateful_set: Option<Arc<StatefulSet>>,
    /// Children that were not there, as `Kind name`.
    pub created: Vec<String>,
    /// Likewise, where they were restored shortly before.
    pub recreated: Vec<String>,
    /// Children that were there and differed, after a change of the spec.
    pub updated: Vec<String>,
    /// Children that were there and differed although nothing new was asked for: each with its fields and, if known, who else owns them.
    pub restored: Vec<String>,
    /// Children of which the API server has now stored something else than what was applied.
    pub admitted: Vec<Dispute>,
    /// Children that are not written for a while, and why.
    pub disputes: Vec<Dispute>,
    /// How long until the first of them may be written again.
    pub again: Option<Duration>,
}

/// Applies every child. The Service comes first, so that pods find their names from the start.
///
/// # Errors
/// If a child could not be written, or belongs to somebody else.
pub async fn apply(
    client: &Client,
    memcached: &Memcached,
    children: Children,
    observed: &Observed,
    applier: &Applier,
) -> Result<Applied, ReconcileError> {
    // Before anything else: a Service with the new selector would find none of the Pods that are there.
    keeps_its_selector(&children.stateful_set, observed.stateful_set.as_deref())?;
    let owner = Owner::of(memcached).asks_for_more(asks_for_more(memcached));
    let mut all = All { client, applier, owner, done: Applied::default() };
    Box::pin(all.apply(children.service, observed.service.clone())).await?;
    Box::pin(all.apply(children.pod_disruption_budget, observed.pod_disruption_budget.clone())).await?;
    let stateful_set = Box::pin(all.apply(children.stateful_set, observed.stateful_set.clone())).await?;
    Ok(Applied { stateful_set, ..all.done })
}

fn keeps_its_selector(desired: &StatefulSet, seen: Option<&StatefulSet>) -> Result<(), ReconcileError> {
    let selector = |set: &StatefulSet| set.spec.as_ref().map(|spec| spec.selector.clone());
    if seen.is_none_or(|seen| selector(seen) == selector(desired)) {
        return Ok(());
    }
    let name = desired.metadata.name.as_deref().unwrap_or_default();
    Err(ReconcileError::OtherSelector { child: format!("StatefulSet {name}") })
}

/// Whether the spec asks for something that has not been applied yet.
fn asks_for_more(memcached: &Memcached) -> bool {
    let observed = memcached.status.as_ref().and_then(|status| status.observed_generation);
    observed != memcached.metadata.generation || status::has_only_begun(memcached)
}

struct All<'a> {
    client: &'a Client,
    applier: &'a Applier,
    owner: Owner,
    done: Applied,
}

impl All<'_> {
    async fn apply<C>(&mut self, desired: C, seen: Option<Arc<C>>) -> Result<Option<Arc<C>>, ReconcileError>
    where
        C: OwnedResource,
    {
        let applied = self.applier.apply(self.client, &self.owner, desired, seen).await?;
        match applied.change {
            Change::None => {}
            Change::Created => self.done.created.push(applied.name),
            Change::Recreated => self.done.recreated.push(applied.name),
            Change::Updated => self.done.updated.push(applied.name),
            Change::Restored(fields) => self.done.restored.push(format!("{} ({fields})", applied.name)),
        }
        self.done.admitted.extend(applied.admitted);
        self.done.disputes.extend(applied.disputes);
        self.done.again = self.done.again.into_iter().chain(applied.again).min();
        Ok(applied.object)
    }
}
