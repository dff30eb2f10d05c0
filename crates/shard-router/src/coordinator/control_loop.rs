//! The coordinator's loop: layout, shard Leases, plan, dead members.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::pending};
use lease_core::{Clock, LeaseApi, LeaseView, Monotonic, ShownLease, Term};

use super::{gc, layout_writer::LayoutWriter, lease_history::LeaseHistory};
use crate::{
    membership::cluster_view::{ClusterView, DEBOUNCE, SharedClusterView},
    names::Names,
    observability::metrics::Metrics,
    routing::{bucket::ShardCount, layout::Layout, plan::Plan},
    wanted_shards::WantedShards,
};

pub(super) struct ControlLoop<'a> {
    pub(super) layout: Layout,
    pub(super) writer: LayoutWriter,
    /// The number of shards that is wanted.
    pub(super) wanted: ShardCount,
    pub(super) wanted_shards: WantedShards,
    pub(super) names: Names,
    pub(super) api: LeaseApi,
    pub(super) settle: Duration,
    pub(super) lease_duration: Duration,
    pub(super) retry: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease_history: &'a LeaseHistory,
    pub(super) term: Term,
    /// Since when there are shard Leases that are left over after a change.
    pub(super) surplus_since: Option<Monotonic>,
    pub(super) metrics: &'a Metrics,
}

impl Drop for ControlLoop<'_> {
    /// The next coordinator tells.
    fn drop(&mut self) {
        self.metrics.layout_change_pending(false);
    }
}

/// When to look again, if no change of a Lease asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Nothing is left to do.
    No,
    /// Something has failed, or is under way.
    Soon,
    At(Monotonic),
}

impl ControlLoop<'_> {
    /// Never ends by itself.
    pub(super) async fn run(mut self, view: &SharedClusterView, mut leases: LeaseView) {
        leases.synced().await;
        let mut published: Option<Plan> = None;
        loop {
            self.wanted = self.wanted_shards.number(Some(self.layout.shards));
            let now = self.clock.now().monotonic;
            let snapshot = leases.snapshot();
            self.lease_history.observe(now, snapshot.iter().map(|shown| &*shown.lease));
            let view = view.observe(now, &snapshot);
            let again = self.pass(now, &view, &snapshot, &mut published).await;
            self.metrics.layout_change_pending(!self.layout.settled || self.wanted != self.layout.shards);
            let wait = self.wait(now, &view, &again);
            tokio::select! {
                () = leases.changed() => self.clock.sleep(DEBOUNCE).await,
                () = wait => {}
                () = self.wanted_shards.changed() => {}
            }
        }
    }

    async fn pass(
        &mut self,
        now: Monotonic,
        view: &ClusterView,
        leases: &[ShownLease],
        published: &mut Option<Plan>,
    ) -> Vec<Again> {
        let mut again = vec![self.restore_layout(view).await];
        again.push(self.change_layout(now, view, leases, published).await);
        again.push(self.publish(now, view, published).await);
        // On a first install, no replica should acquire a shard before there is a plan.
        if published.is_some() {
            again.push(self.create_missing(view).await);
            again.push(self.delete_surplus(now, leases).await);
        }
        if !gc::collect(&self.api, &view.membership, now, self.kept_for()).await {
            again.push(Again::Soon);
        }
        again
    }

    /// How long the Lease of a dead member is kept.
    fn kept_for(&self) -> Duration {
        10 * self.lease_duration
    }

    /// Restores the layout if someone has removed or edited it while this replica holds the Lease.
    async fn restore_layout(&mut self, view: &ClusterView) -> Again {
        let ours = view.coordinator.as_ref() == Some(self.term.identity());
        if !ours || !self.writer.is_overwritten(view, &self.layout) {
            return Again::No;
        }
        let layout = self.layout.clone();
        self.commit(layout, None).await
    }

    /// Writes a layout, with a plan for it if there is one. Nothing else is committed before it is known whether this was.
    pub(super) async fn commit(&mut self, layout: Layout, plan: Option<&Plan>) -> Again {
        let mut annotations = [self.names.annotation_of_layout(&layout)].to_vec();
        annotations.extend(plan.map(|plan| (self.names.plan_annotation(), json(plan))));
        if !self.writer.write(annotations).await {
            return Again::Soon;
        }
        self.layout = layout;
        Again::No
    }

    /// The plan for this layout, after the one that was published last.
    pub(super) fn next_plan(layout: &Layout, view: &ClusterView, published: Option<&Plan>) -> (Plan, Plan) {
        let before = published.cloned().or_else(|| view.plan.clone()).unwrap_or_default();
        let shards = layout.planned_shards().unwrap_or(layout.shards);
        let next = before.next(layout.generation, shards, view.membership.members(), &view.holders);
        (before, next)
    }

    /// Publishes the next plan once membership has been stable for long enough.
    async fn publish(&mut self, now: Monotonic, view: &ClusterView, published: &mut Option<Plan>) -> Again {
        let (before, next) = Self::next_plan(&self.layout, view, published.as_ref());
        let settled = before.layout == next.layout && before.same_assignments(&next);
        if settled && view.plan.is_some() {
            *published = Some(before);
            return Again::No;
        }
        if !settled && view.membership.stable_for(now) < self.settle {
            return Again::No;
        }
        // A plan that someone removed from the Lease is restored as it was.
        let next = if settled { before } else { next };
        if !self.writer.write(vec![(self.names.plan_annotation(), json(&next))]).await {
            return Again::Soon;
        }
        tracing::info!(plan = next.generation, members = view.membership.members().len(), "published a plan");
        *published = Some(next);
        Again::No
    }

    /// Resolves when something is due that no change of a Lease announces.
    fn wait(
        &self,
        now: Monotonic,
        view: &ClusterView,
        again: &[Again],
    ) -> futures::future::BoxFuture<'static, ()> {
        let settled = Some(self.settle.saturating_sub(view.membership.stable_for(now)));
        let settled = settled.filter(|left| !left.is_zero());
        let expiry = view.membership.next_expiry(now).map(|expiry| expiry.duration_since(now));
        let remains = view.membership.next_silent_for(now, self.kept_for());
        let remains = remains.map(|end| end.duration_since(now));
        let again = again.iter().filter_map(|again| match again {
            Again::No => None,
            Again::Soon => Some(self.retry),
            Again::At(at) => Some(at.duration_since(now)),
        });
        let next = [settled, expiry, remains].into_iter().flatten().chain(again).min();
        next.map_or_else(|| pending().boxed(), |next| self.clock.sleep(next))
    }
}

fn json(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is plain data")
}
