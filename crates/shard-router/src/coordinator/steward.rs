//! The coordinator's loop: plan, shard Leases, dead members.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{FutureExt, future::pending};
use kube::ResourceExt;
use lease_core::{Clock, LeaseApi, LeaseView, Monotonic, RequestError, Term};

use super::{
    birth::{self, Births},
    gc,
};
use crate::{
    membership::world::{Committed, SharedWorld, World},
    names::Names,
    routing::{bucket::ShardId, layout::Layout, plan::Plan},
};

/// With many shards, some Lease is renewed all the time: news is taken in together.
const BREATH: Duration = Duration::from_millis(20);

pub(super) struct Steward<'a> {
    pub(super) layout: Layout,
    pub(super) names: Names,
    pub(super) api: LeaseApi,
    pub(super) settle: Duration,
    pub(super) lease_duration: Duration,
    pub(super) retry: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) births: &'a Births,
    pub(super) term: Term,
}

impl Steward<'_> {
    /// Never ends by itself.
    pub(super) async fn run(&self, world: &SharedWorld, mut leases: LeaseView) {
        leases.synced().await;
        let mut published: Option<Plan> = None;
        loop {
            let now = self.clock.now().monotonic;
            let snapshot = leases.snapshot();
            self.births.saw(snapshot.iter().map(AsRef::as_ref));
            let world = world.observe(now, &snapshot);
            let mut soon = !self.restore_layout(&world).await;
            soon |= self.publish(now, &world, &mut published).await;
            // On a first install nobody should win a shard before there is a plan to say whose it should be.
            if published.is_some() {
                soon |= !self.create_missing(&world).await;
            }
            soon |= !gc::collect(&self.api, &world.membership, now, 10 * self.lease_duration).await;
            let wait = self.wait(now, &world, soon);
            tokio::select! {
                () = leases.changed() => self.clock.sleep(BREATH).await,
                () = wait => {}
            }
        }
    }

    /// Puts the layout back if someone took it off the Lease while we hold it. Returns whether all is well.
    async fn restore_layout(&self, world: &World) -> bool {
        // Our view may lag behind our own commit; to write the same once more does no harm.
        let ours = world.coordinator.as_ref() == Some(self.term.identity());
        if !ours || world.committed != Committed::Nothing {
            return true;
        }
        let (key, json) = self.layout.mark(&self.names);
        self.note(key, json).await
    }

    /// Publishes the next plan once membership has been stable for long enough. Returns whether to look again soon.
    async fn publish(&self, now: Monotonic, world: &World, published: &mut Option<Plan>) -> bool {
        let before = published.clone().or_else(|| world.plan.clone()).unwrap_or_default();
        let members = world.membership.members();
        let next = before.next(self.layout.generation, self.layout.shards, members, &world.holders);
        let settled = before.layout == next.layout && before.same_assignments(&next);
        if settled && world.plan.is_some() {
            *published = Some(before);
            return false;
        }
        if !settled && world.membership.stable_for(now) < self.settle {
            return false;
        }
        // A plan that someone took off the Lease comes back as it was.
        let next = if settled { before } else { next };
        let json = serde_json::to_string(&next).expect("a plan is plain data");
        if !self.note(self.names.plan_annotation(), json).await {
            return true;
        }
        tracing::info!(plan = next.generation, members = members.len(), "published a plan");
        *published = Some(next);
        false
    }

    /// Writes an annotation on the coordinator Lease. Returns whether it is there.
    async fn note(&self, key: String, json: String) -> bool {
        let written = self.term.annotate([(key.clone(), Some(json))].into()).await;
        if let Err(error) = &written {
            tracing::warn!(%error, annotation = key, "an annotation of the coordinator Lease was not written; retrying");
        }
        written.is_ok()
    }

    /// Creates the shard Leases that do not exist. Returns whether all is well.
    async fn create_missing(&self, world: &World) -> bool {
        let existing: BTreeSet<ShardId> = world.holders.keys().copied().collect();
        let missing: Vec<_> = self.layout.shards.shards().filter(|shard| !existing.contains(shard)).collect();
        if missing.is_empty() {
            return true;
        }
        for shard in missing {
            let Ok(name) = self.names.shard(shard) else { continue };
            if !self.term.is_valid() {
                return false;
            }
            let released = self.births.may_be_released(shard, &self.term).await;
            let mut lease = birth::newborn(&name, released, self.births.wait(), self.clock.wall());
            lease.annotations_mut().extend([self.layout.mark(&self.names)]);
            self.births.creating(shard);
            match self.api.create(lease).await {
                Ok(_) => {}
                // It exists, and our view is older. It may also be our own, of an attempt that was not answered.
                Err(RequestError::Conflict) => self.births.existed(shard),
                Err(error) => {
                    tracing::warn!(lease = %name, %error, "a shard Lease could not be created; retrying");
                    return false;
                }
            }
        }
        true
    }

    /// Until something is due by the clock alone.
    fn wait(&self, now: Monotonic, world: &World, soon: bool) -> futures::future::BoxFuture<'static, ()> {
        let settled = Some(self.settle.saturating_sub(world.membership.stable_for(now)));
        let settled = settled.filter(|left| !left.is_zero());
        let expiry = world.membership.next_expiry(now).map(|expiry| expiry.duration_since(now));
        let soon = soon.then_some(self.retry);
        let next = [settled, expiry, soon].into_iter().flatten().min();
        next.map_or_else(|| pending().boxed(), |next| self.clock.sleep(next))
    }
}
