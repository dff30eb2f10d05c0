//! Server-side apply of the children.
//!
//! Apply uses force: the operator owns the fields that it builds, and corrects drift whatever its cause. Fields that it does not set,
//! such as annotations of others or a sidecar, stay as they are, because server-side apply changes only the applied fields.
//!
//! A child that already matches costs no request. This is decided by comparing the applied fields and, for fields that are
//! no longer applied, by a digest of what was applied last, which is kept as an annotation.
//!
//! If somebody else writes the same fields, or repeatedly deletes a child, the operator writes it at growing intervals (see
//! [`mending`](super::mending)). Only applied fields count as drift: what mutating admission adds with every write does not cause
//! another write. If mutating admission changes applied fields, which the answer to an apply shows, another apply does not help: the problem is reported, and the apply is
//! repeated at growing intervals.
//!
//! Force applies to fields, not to objects: each write has what was seen as precondition (see `precondition`), so an object
//! that somebody else has created or recreated since then is never overwritten.

mod record;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use lease_core::Clock;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FIELD_MANAGER;
use super::build::{Children, digest};
use super::differences::{Difference, differences};
use super::dispute::Dispute;
use super::error::ReconcileError;
use super::fetch::{self, Observed};
use super::mending::{Cause, Child, Instant, Mendings};
use super::precondition;
use super::status;
use crate::crd::Memcached;

use self::record::Written;

/// The result of applying the children.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The servers, as the API server has them now: with their status. `None` if somebody has deleted the StatefulSet and it is too
    /// soon to make it again.
    pub stateful_set: Option<Arc<StatefulSet>>,
    /// Children that were not there, as `Kind name`.
    pub created: Vec<String>,
    /// Likewise, where they were restored shortly before.
    pub recreated: Vec<String>,
    /// Children that were there and differed, after a change of the spec.
    pub updated: Vec<String>,
    /// Children that were there and differed although nothing new was asked for: each with its fields and, if known, who else owns them.
    pub mended: Vec<String>,
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
    mendings: &Mutex<Mendings>,
    clock: &dyn Clock,
) -> Result<Applied, ReconcileError> {
    // Before anything else: a Service with the new selector would find none of the Pods that are there.
    keeps_its_selector(&children.stateful_set, observed.stateful_set.as_deref())?;
    let mut writer = Writer { client, memcached, mendings, clock, done: Applied::default() };
    Box::pin(writer.apply(children.service, observed.service.clone())).await?;
    Box::pin(writer.apply(children.pod_disruption_budget, observed.pod_disruption_budget.clone())).await?;
    let stateful_set = Box::pin(writer.apply(children.stateful_set, observed.stateful_set.clone())).await?;
    Ok(Applied { stateful_set, ..writer.done })
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
    mendings: &'a Mutex<Mendings>,
    clock: &'a dyn Clock,
    done: Applied,
}

/// What there is to do about one child.
enum Task {
    /// It is as it would be applied.
    Nothing,
    /// It differs, and it is too soon to write it.
    Wait,
    /// It has to be written.
    Write(Why),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The spec asks for something that has not been applied yet.
    Spec,
    /// This version of the operator applies something else than what was applied last.
    Build,
    /// Somebody has changed or deleted it; or the API server has stored something else than what was applied.
    Drift,
}

impl Writer<'_> {
    /// Applies one child to what was seen of it, unless that has to wait. If something else is there by then, this looks once: what is
    /// the resource's own is mended, whoever made it; a stranger's object is an error and stays as it is.
    async fn apply<K>(
        &mut self,
        mut desired: K,
        seen: Option<Arc<K>>,
    ) -> Result<Option<Arc<K>>, ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let name = format!("{} {}", K::kind(&()), desired.meta().name.as_deref().unwrap_or_default());
        let owner = self.memcached.metadata.uid.clone().unwrap_or_default();
        let child = Child { owner, kind: K::kind(&()).into_owned() };
        let applied = match self.send(&mut desired, seen, &child, &name).await {
            Err(error) if error.is_conflict() => {
                let seen = fetch::one(self.client, self.memcached).await?;
                self.send(&mut desired, seen, &child, &name).await?
            }
            result => result?,
        };
        let now = self.now();
        let disputes = self.mendings().disputes(&child, now);
        for (dispute, wait) in disputes {
            self.done.disputes.push(dispute);
            self.done.again = Some(self.done.again.map_or(wait, |again| again.min(wait)));
        }
        Ok(applied)
    }

    async fn send<K>(
        &mut self,
        desired: &mut K,
        mut seen: Option<Arc<K>>,
        child: &Child,
        name: &str,
    ) -> Result<Option<Arc<K>>, ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let (mut task, mut drift) = self.task(desired, seen.as_deref(), child);
        if self.has_to_tell(&task, &drift, child) && seen.as_deref().is_some_and(is_cached) {
            seen = fetch::one(self.client, self.memcached).await?;
            (task, drift) = self.task(desired, seen.as_deref(), child);
        }
        let why = match task {
            Task::Nothing => {
                self.as_wanted(child);
                return Ok(seen);
            }
            Task::Wait => {
                self.held_back(child, &drift, seen.as_deref());
                return Ok(seen);
            }
            Task::Write(why) => why,
        };
        precondition::require(desired.meta_mut(), seen.as_deref().map(Resource::meta));
        let meta = desired.meta();
        let api: Api<K> = Api::namespaced(self.client.clone(), meta.namespace.as_deref().unwrap_or_default());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let applied =
            api.patch(meta.name.as_deref().unwrap_or_default(), &params, &Patch::Apply(&*desired)).await;
        let applied = applied.map_err(|source| ReconcileError::Apply { child: name.to_owned(), source })?;
        let answer = differences(&*desired, &applied);
        self.note(Written { name, child, why, seen: seen.as_deref(), drift, applied: &applied, answer });
        Ok(Some(Arc::new(applied)))
    }

    /// What to do about a child, and where it differs for another reason than that the API server stores something else than what is applied.
    fn task<K>(&self, desired: &K, seen: Option<&K>, child: &Child) -> (Task, Vec<Difference>)
    where
        K: Resource + Serialize,
    {
        let now = self.now();
        let differs = seen.map(|seen| differences(desired, seen)).unwrap_or_default();
        if seen.is_some() && differs.is_empty() {
            return (Task::Nothing, differs);
        }
        let mendings = self.mendings();
        let known = mendings.answer(child, now);
        let (admitted, drift): (Vec<_>, Vec<_>) =
            differs.into_iter().partition(|difference| known.contains(difference));
        let cause = if seen.is_some() && drift.is_empty() { Cause::Admission } else { Cause::Others };
        let is_other_build = seen.is_some_and(|seen| !digest::is_same(desired.meta(), seen.meta()));
        let task = if self.is_new() {
            Task::Write(Why::Spec)
        } else if mendings.wait(child, cause, now).is_some() {
            Task::Wait
        } else if is_other_build && admitted.is_empty() && !mendings.is_known(child, now) {
            Task::Write(Why::Build)
        } else {
            Task::Write(Why::Drift)
        };
        (task, drift)
    }

    /// Whether it will be told where a child differs, and who else writes it.
    fn has_to_tell(&self, task: &Task, drift: &[Difference], child: &Child) -> bool {
        let is_told = match task {
            Task::Nothing | Task::Write(Why::Spec | Why::Build) => false,
            Task::Wait => self.mendings().is_untold(child),
            Task::Write(Why::Drift) => true,
        };
        is_told && !drift.is_empty()
    }

    /// Whether the spec asks for something that has not been applied yet.
    fn is_new(&self) -> bool {
        let observed = self.memcached.status.as_ref().and_then(|status| status.observed_generation);
        observed != self.memcached.metadata.generation || status::has_only_begun(self.memcached)
    }

    fn now(&self) -> Instant {
        Instant { boottime: self.clock.now().boottime, wall: self.clock.wall() }
    }

    fn mendings(&self) -> MutexGuard<'_, Mendings> {
        self.mendings.lock()
    }
}

/// The cache leaves out who writes which fields; every object of the API server says so.
fn is_cached<K: Resource>(object: &K) -> bool {
    object.meta().managed_fields.is_none()
}
