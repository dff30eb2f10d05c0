//! [`Applier`]: server-side apply of children, where they differ.
//!
//! Apply uses force: the operator owns the fields that it builds, and corrects drift whatever its cause. Fields that it does not set,
//! such as annotations of others or a sidecar, stay as they are, because server-side apply changes only the applied fields.
//!
//! A child that already matches costs no request. This is decided by comparing the applied fields and, for fields that are
//! no longer applied, by a digest of what was applied last, which is kept as an annotation.
//!
//! If somebody else writes the same fields, or repeatedly deletes a child, it is written at growing intervals (see
//! [`restoring`](super::restoring)). Only applied fields count as drift: what mutating admission adds with every write does not cause
//! another write. If mutating admission changes applied fields, which the answer to an apply shows, another apply does not help: that is reported, and the
//! apply is repeated at growing intervals.
//!
//! Force applies to fields, not to objects: each write has what was seen as precondition (see [`precondition`]), so an object
//! that somebody else has created or recreated since then is never overwritten.

mod reading;
mod record;

use std::{any::Any, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Client, Resource,
    api::{Patch, PatchParams},
};
use lease_core::{Clock, SystemClock};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use self::{reading::requests, record::Written};
use super::{
    differences::{Difference, differences},
    digest::Digest,
    dispute::Dispute,
    error::ApplyError,
    owner::Owner,
    ownership,
    place::{described, object_of, place},
    precondition,
    restoring::{Cause, Child, Instant, Restorations},
};
use crate::{
    kind_type::KindType,
    owned_resource::{ChildObject, OwnedResource},
};

/// Applies children for one field manager, and remembers which were restored lately. One for each kind of owner and replica.
///
/// A reconcile gets one with its [`Held`](crate::Held): [`Held::apply_owned`](crate::Held::apply_owned) is the usual way. This is for tests, and for code that has
/// only a client.
#[derive(Debug)]
pub struct Applier {
    pub(super) field_manager: String,
    pub(super) digest: Digest,
    clock: Arc<dyn Clock>,
    restorations: Mutex<Restorations>,
}

/// What has become of a child.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Applied<C> {
    /// The child as the API server has it now, as far as this replica knows. `None` if somebody has deleted it and it is too soon to create it again.
    pub object: Option<Arc<C>>,
    /// Its kind and name.
    pub name: String,
    /// What was written.
    pub change: Change,
    /// If the API server has now stored something else than what was applied.
    pub admitted: Option<Dispute>,
    /// Why it is not written for a while, although it differs or was changed more than once.
    pub disputes: Vec<Dispute>,
    /// How long until it may be written again, if it waits. Reconcile again then.
    pub again: Option<Duration>,
}

/// What was written of a child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it is as it would be applied, or it is too soon to write it.
    #[default]
    None,
    /// It was not there.
    Created,
    /// It was not there, although it was created shortly before.
    Recreated,
    /// It differed because something else is wanted now.
    Updated,
    /// It differed although nothing else is wanted: these fields, and who else owns them if that is known.
    Restored(String),
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
pub(super) enum Why {
    /// The spec asks for something that has not been applied yet.
    Spec,
    /// This version of the operator applies something else than what was applied last.
    Build,
    /// Somebody has changed or deleted it; or the API server has stored something else than what was applied.
    Drift,
}

/// One child that is applied.
pub(super) struct Target<'a> {
    kind: &'a KindType,
    pub(super) client: &'a Client,
    pub(super) owner: &'a Owner,
    pub(super) child: Child,
    pub(super) name: String,
}

impl Applier {
    /// For this field manager, with annotations in this domain.
    pub fn new(field_manager: impl Into<String>, domain: &str) -> Self {
        Self {
            field_manager: field_manager.into(),
            digest: Digest::new(domain),
            clock: Arc::new(SystemClock),
            restorations: Mutex::default(),
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Applies one child, if it differs from `seen` and need not wait. If something else is there by then, this reads it once: a child of the owner
    /// is restored, whoever wrote it; a stranger's object is an error and stays as it is.
    ///
    /// An owner reference and the namespace of the owner are added if the child has none. A Secret's `stringData` is applied as `data`, because
    /// the API server never returns it.
    ///
    /// # Errors
    /// If the child could not be read or written, or belongs to somebody else.
    pub async fn apply<C>(
        &self,
        client: &Client,
        owner: &Owner,
        desired: C,
        seen: Option<Arc<C>>,
    ) -> Result<Applied<C>, ApplyError>
    where
        C: OwnedResource,
    {
        let (kind, mut desired) = (KindType::of::<C>(), desired);
        place(&kind, desired.meta_mut(), owner)?;
        self.apply_of(&kind, client, owner, desired, seen).await
    }

    /// The same for a child of this kind that is [in its place](place).
    pub(crate) async fn apply_of<C: ChildObject>(
        &self,
        kind: &KindType,
        client: &Client,
        owner: &Owner,
        mut desired: C,
        seen: Option<Arc<C>>,
    ) -> Result<Applied<C>, ApplyError> {
        self.complete(&mut desired, owner);
        let name = described(kind, desired.meta());
        let owner_uid = owner.reference.uid.clone();
        let child = Child { owner: owner_uid, object: object_of(kind, desired.meta()) };
        let target = Target { kind, client, owner, child, name: name.clone() };
        if let Some(seen) = &seen {
            ownership::check(seen.meta(), owner, &self.digest, &name)?;
        }
        let mut done = Applied {
            object: None,
            name,
            change: Change::None,
            admitted: None,
            disputes: Vec::new(),
            again: None,
        };
        let object = match self.send(&target, &mut desired, seen, &mut done).await {
            Err(error) if error.is_conflict() => {
                let seen = self.read(&target, &desired).await?;
                self.send(&target, &mut desired, seen, &mut done).await?
            }
            result => result?,
        };
        let now = self.now();
        for (dispute, wait) in self.restorations().disputes(&target.child, now) {
            done.disputes.push(dispute);
            done.again = Some(done.again.map_or(wait, |again| again.min(wait)));
        }
        Ok(Applied { object, ..done })
    }

    /// Drops what is remembered of the children of an owner that is gone.
    pub fn forget(&self, owner_uid: &str) {
        self.restorations().forget(owner_uid);
    }

    /// Adds what every child has.
    fn complete<C: ChildObject>(&self, desired: &mut C, owner: &Owner) {
        if let Some(secret) = (desired as &mut dyn Any).downcast_mut::<Secret>() {
            let text = secret.string_data.take().into_iter().flatten();
            let bytes = text.map(|(key, value)| (key, ByteString(value.into_bytes())));
            let bytes: Vec<_> = bytes.collect();
            if !bytes.is_empty() {
                secret.data.get_or_insert_default().extend(bytes);
            }
        }
        let owners = desired.meta_mut().owner_references.get_or_insert_default();
        if !owners.iter().any(|reference| reference.uid == owner.reference.uid) {
            owners.push(owner.reference.clone());
        }
        self.digest.write(desired);
    }

    async fn send<C: ChildObject>(
        &self,
        target: &Target<'_>,
        desired: &mut C,
        mut seen: Option<Arc<C>>,
        done: &mut Applied<C>,
    ) -> Result<Option<Arc<C>>, ApplyError> {
        let (mut task, mut drift) = self.task(target, desired, seen.as_deref());
        if self.has_to_tell(&task, &drift, &target.child) && seen.as_deref().is_some_and(is_cached) {
            seen = self.read(target, desired).await?;
            (task, drift) = self.task(target, desired, seen.as_deref());
        }
        let why = match task {
            Task::Nothing => {
                self.as_wanted(target);
                return Ok(seen);
            }
            Task::Wait => {
                self.held_back(target, &drift, seen.as_deref());
                return Ok(seen);
            }
            Task::Write(why) => why,
        };
        precondition::require(desired.meta_mut(), seen.as_deref().map(Resource::meta));
        let meta = desired.meta();
        let (name, namespace) = (meta.name.as_deref().unwrap_or_default(), meta.namespace.as_deref());
        let params = PatchParams::apply(&self.field_manager).force();
        let failed = |source| ApplyError::Apply { child: target.name.clone(), source };
        let request = requests::<C>(target.kind, namespace).patch(name, &params, &Patch::Apply(&*desired));
        let request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
        let applied: C = target.client.request(request).await.map_err(failed)?;
        let answer = differences(&*desired, &applied);
        self.note(target, Written { why, seen: seen.as_deref(), drift, applied: &applied, answer }, done);
        Ok(Some(Arc::new(applied)))
    }

    /// What to do about a child, and where it differs for another reason than that the API server stores something else than what is applied.
    fn task<C>(&self, target: &Target<'_>, desired: &C, seen: Option<&C>) -> (Task, Vec<Difference>)
    where
        C: Resource + Serialize,
    {
        let (now, child) = (self.now(), &target.child);
        let differs = seen.map(|seen| differences(desired, seen)).unwrap_or_default();
        if seen.is_some() && differs.is_empty() {
            return (Task::Nothing, differs);
        }
        let asks_for_more = self.asks_for_more(target);
        let restorations = self.restorations();
        let known = restorations.answer(child, now);
        let (admitted, drift): (Vec<_>, Vec<_>) =
            differs.into_iter().partition(|difference| known.contains(difference));
        let cause = if seen.is_some() && drift.is_empty() { Cause::Admission } else { Cause::Others };
        let is_other_build = seen.is_some_and(|seen| !self.digest.is_same(desired.meta(), seen.meta()));
        let task = if asks_for_more {
            Task::Write(Why::Spec)
        } else if restorations.wait(child, cause, now).is_some() {
            Task::Wait
        } else if is_other_build && admitted.is_empty() && !restorations.is_known(child, now) {
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
            Task::Wait => self.restorations().is_untold(child),
            Task::Write(Why::Drift) => true,
        };
        is_told && !drift.is_empty()
    }

    /// Whether the spec asks for something that has not been applied yet.
    pub(super) fn asks_for_more(&self, target: &Target<'_>) -> bool {
        let Owner { asks_for_more, generation, .. } = target.owner;
        asks_for_more
            .unwrap_or_else(|| self.restorations().is_of_earlier_generation(&target.child, *generation))
    }

    pub(super) fn now(&self) -> Instant {
        Instant { boottime: self.clock.now().boottime, wall: self.clock.wall() }
    }

    pub(super) fn restorations(&self) -> MutexGuard<'_, Restorations> {
        self.restorations.lock()
    }
}

/// The cache leaves out who writes which fields; every object of the API server says so.
fn is_cached<C: Resource>(object: &C) -> bool {
    object.meta().managed_fields.is_none()
}
