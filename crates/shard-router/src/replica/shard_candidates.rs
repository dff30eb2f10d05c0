//! The candidates for the shard Leases: one each.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lease_core::{Candidate, Clock, Identity, Monotonic, Successors, Timings};
use parking_lot::{Mutex, MutexGuard};

use super::intent::{in_turn, next_handover, staying, takeover_delay_for};
use super::plan_cache::PlanCache;
use crate::{
    membership::cluster_view::ClusterView,
    routing::{
        bucket::{ShardCount, ShardId},
        plan::Plan,
    },
};

/// One candidate for each shard, and the current handover.
pub(super) struct ShardCandidates {
    me: Identity,
    clock: Arc<dyn Clock>,
    shards: ShardCount,
    candidates: BTreeMap<ShardId, Candidate>,
    state: Mutex<State>,
}

/// What to do with the shards that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Continue.
    Keep,
    /// Let running reconciles finish, then release.
    Drain,
    /// Stop at once, as on the loss of their Leases.
    Abandon,
}

#[derive(Default)]
struct State {
    contending: bool,
    delays: BTreeMap<ShardId, Duration>,
    successors: Successors,
    handover: Option<Handover>,
    plan_cache: PlanCache,
    /// The shard whose handover began last.
    last: Option<ShardId>,
}

struct Handover {
    shard: ShardId,
    begun: Monotonic,
}

impl ShardCandidates {
    pub(super) fn new(me: Identity, clock: Arc<dyn Clock>, shards: ShardCount) -> Self {
        Self { me, clock, shards, candidates: BTreeMap::new(), state: Mutex::default() }
    }

    pub(super) fn add(&mut self, shard: ShardId, candidate: Candidate) {
        self.candidates.insert(shard, candidate);
    }

    /// Contends for all shards, or for none.
    pub(super) fn contend(&self, contending: bool, disposition: Disposition) {
        let changed = {
            let mut state = self.lock();
            std::mem::replace(&mut state.contending, contending) != contending
        };
        for candidate in self.candidates.values() {
            if changed {
                candidate.contend(contending);
            }
            match (disposition, candidate.term()) {
                (Disposition::Drain, Some(term)) if !term.is_draining() => candidate.step_down(None),
                (Disposition::Abandon, Some(_)) => candidate.abandon(),
                _ => {}
            }
        }
    }

    /// Sets the takeover delays by the plan, and hands over what the plan gives to others, one shard at a time. Hands over only if `current`:
    /// the view is known to be up to date, and membership has been stable for a while.
    pub(super) fn follow(&self, view: &ClusterView, current: bool, timings: Timings) {
        let (plan, members) = (view.current_plan(), view.membership.members());
        // The plan that the coordinator will publish next. So the shards of a member that has just died go directly to those who will keep
        // them.
        let mut state = self.lock();
        let state = &mut *state;
        let expected = state.plan_cache.of(view, self.shards);
        for (shard, candidate) in &self.candidates {
            let delay = takeover_delay_for(*shard, &self.me, expected, members, timings);
            if state.delays.insert(*shard, delay) != Some(delay) {
                candidate.set_acquire_delay(delay);
            }
        }
        let successors = staying(members);
        if state.successors != successors {
            self.candidates.values().for_each(|candidate| candidate.set_successors(successors.clone()));
            state.successors = successors;
        }
        let now = self.clock.now().monotonic;
        if let Some(handover) = &state.handover {
            // It is done when another replica holds the shard. A successor that does not take it must not block the others for ever.
            let holder = view.holders.get(&handover.shard).and_then(Option::as_ref);
            let done = self.held(handover.shard).is_none() && holder.is_some_and(|holder| *holder != self.me);
            let stuck = now.duration_since(handover.begun) > timings.lease_duration()
                && self.held(handover.shard).is_none_or(|term| !term.is_draining());
            if !done && !stuck {
                return;
            }
            state.handover = None;
        }
        let Some(plan) = plan.filter(|_| current) else { return };
        let held: Vec<ShardId> = self
            .candidates
            .keys()
            .copied()
            .filter(|shard| self.held(*shard).is_some_and(|term| !term.is_draining()))
            .collect();
        let held = in_turn(held, state.last);
        if let Some((shard, successor)) = next_handover(&held, &self.me, plan, members) {
            tracing::info!(%shard, %successor, plan = plan.generation, "handing a shard over");
            state.handover = Some(Handover { shard, begun: now });
            state.last = Some(shard);
            self.candidates[&shard].step_down(Some(successor));
        }
    }

    /// Gives up all shards at the same time and names the successors by the next plan, which the coordinator computes in the same way.
    /// Returns no later than when all work has ended and `limit` is over.
    pub(super) async fn shut_down(self, next: Option<Plan>, limit: Duration) {
        let leaving = self.candidates.into_iter().map(|(shard, candidate)| {
            let successor = next.as_ref().and_then(|plan| plan.member(shard));
            async move {
                candidate.contend(false);
                candidate.step_down(successor);
                candidate.shutdown_within(limit).await;
            }
        });
        futures::future::join_all(leaving).await;
    }

    fn held(&self, shard: ShardId) -> Option<lease_core::Term> {
        self.candidates.get(&shard).and_then(Candidate::term)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
