//! The coordinator's loop: plan, shard Leases, dead members.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{FutureExt, future::pending};
use kube::ResourceExt;
use lease_core::{Clock, LeaseApi, LeaseView, Monotonic, RequestError, Term};

use super::{
    gc,
    lease_history::{self, LeaseHistory},
};
use crate::{
    membership::{
        cluster_view::{ClusterView, DEBOUNCE, SharedClusterView},
        committed::Committed,
    },
    names::Names,
    routing::{bucket::ShardId, layout::Layout, plan::Plan},
};

pub(super) struct ControlLoop<'a> {
    pub(super) layout: Layout,
    pub(super) names: Names,
    pub(super) api: LeaseApi,
    pub(super) settle: Duration,
    pub(super) lease_duration: Duration,
    pub(super) retry: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease_history: &'a LeaseHistory,
    pub(super) term: Term,
}

impl ControlLoop<'_> {
    /// Never ends by itself.
    pub(super) async fn run(&self, view: &SharedClusterView, mut leases: LeaseView) {
        leases.synced().await;
        let mut published: Option<Plan> = None;
        loop {
            let now = self.clock.now().monotonic;
            let snapshot = leases.snapshot();
            self.lease_history.observe(snapshot.iter().map(|shown| &*shown.lease));
            let view = view.observe(now, &snapshot);
            let mut soon = !self.restore_layout(&view).await;
            soon |= self.publish(now, &view, &mut published).await;
            // On a first install, no replica should acquire a shard before there is a plan.
            if published.is_some() {
                soon |= !self.create_missing(&view).await;
            }
            soon |= !gc::collect(&self.api, &view.membership, now, self.kept_for()).await;
            let wait = self.wait(now, &view, soon);
            tokio::select! {
                () = leases.changed() => self.clock.sleep(DEBOUNCE).await,
                () = wait => {}
            }
        }
    }

    /// How long the Lease of a dead member is kept.
    fn kept_for(&self) -> Duration {
        10 * self.lease_duration
    }

    /// Restores the layout if someone removed it from the Lease while this replica holds it. Returns whether that succeeded, if it was needed.
    async fn restore_layout(&self, view: &ClusterView) -> bool {
        // The view may lag behind our own commit; writing the same again does no harm.
        let ours = view.coordinator.as_ref() == Some(self.term.identity());
        if !ours || view.committed != Committed::Nothing {
            return true;
        }
        let (key, json) = self.names.annotation_of_layout(&self.layout);
        self.note(key, json).await
    }

    /// Publishes the next plan once membership has been stable for long enough. Returns whether to look again soon.
    async fn publish(&self, now: Monotonic, view: &ClusterView, published: &mut Option<Plan>) -> bool {
        let before = published.clone().or_else(|| view.plan.clone()).unwrap_or_default();
        let members = view.membership.members();
        let next = before.next(self.layout.generation, self.layout.shards, members, &view.holders);
        let settled = before.layout == next.layout && before.same_assignments(&next);
        if settled && view.plan.is_some() {
            *published = Some(before);
            return false;
        }
        if !settled && view.membership.stable_for(now) < self.settle {
            return false;
        }
        // A plan that someone removed from the Lease is restored as it was.
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

    /// Creates the shard Leases that are missing. Returns whether that succeeded.
    async fn create_missing(&self, view: &ClusterView) -> bool {
        let existing: BTreeSet<ShardId> = view.holders.keys().copied().collect();
        let missing: Vec<_> = self.layout.shards.shards().filter(|shard| !existing.contains(shard)).collect();
        if missing.is_empty() {
            return true;
        }
        for shard in missing {
            let Ok(name) = self.names.shard(shard) else { continue };
            if !self.term.is_valid() {
                return false;
            }
            let released = self.lease_history.may_create_released(shard, &self.term).await;
            let mut lease = lease_history::new_lease(
                &name,
                released,
                self.lease_history.reservation(),
                self.clock.wall(),
            );
            lease.annotations_mut().extend([self.names.annotation_of_layout(&self.layout)]);
            self.lease_history.creating(shard);
            match self.api.create(lease).await {
                Ok(_) => {}
                // It exists, and the view is older. It may be ours, from an attempt that was not answered.
                Err(RequestError::Conflict) => self.lease_history.existed(shard),
                Err(error) => {
                    tracing::warn!(lease = %name, %error, "a shard Lease could not be created; retrying");
                    return false;
                }
            }
        }
        true
    }

    /// Resolves when something is due that no change of a Lease announces.
    fn wait(
        &self,
        now: Monotonic,
        view: &ClusterView,
        soon: bool,
    ) -> futures::future::BoxFuture<'static, ()> {
        let settled = Some(self.settle.saturating_sub(view.membership.stable_for(now)));
        let settled = settled.filter(|left| !left.is_zero());
        let expiry = view.membership.next_expiry(now).map(|expiry| expiry.duration_since(now));
        let remains = view.membership.next_silent_for(now, self.kept_for());
        let remains = remains.map(|end| end.duration_since(now));
        let soon = soon.then_some(self.retry);
        let next = [settled, expiry, remains, soon].into_iter().flatten().min();
        next.map_or_else(|| pending().boxed(), |next| self.clock.sleep(next))
    }
}
