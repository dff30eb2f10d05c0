//! The candidates for the shard Leases: one each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use lease_core::{Candidate, Clock, Identity, Monotonic, Successors, Timings};
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, task::JoinSet};

use super::intent::{in_turn, longest_silence, next_handover, staying, takeover_delay_for};
use super::plan_cache::PlanCache;
use crate::{
    error::RunError,
    layout_change::{Generation, ShardLeases, leases},
    membership::cluster_view::ClusterView,
    routing::{bucket::ShardId, plan::Plan},
};

/// Makes the candidate for a shard, and a future that reports its states.
type Make = Box<dyn Fn(ShardId) -> Result<(Candidate, BoxFuture<'static, ()>), RunError> + Send + Sync>;

/// One candidate for each shard, and the current handover.
pub(super) struct ShardCandidates {
    me: Identity,
    clock: Arc<dyn Clock>,
    make: Make,
    /// How long a candidate that is not needed any more may take to end.
    limit: Duration,
    wake: Arc<Notify>,
    /// Shards whose former candidates have not ended yet: there is never a second one.
    leaving: Arc<Mutex<BTreeSet<ShardId>>>,
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
    candidates: BTreeMap<ShardId, Candidate>,
    /// Those that contend.
    contending: BTreeSet<ShardId>,
    /// The ends of former candidates, and the reports of all; they end with the replica.
    tasks: JoinSet<()>,
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
    pub(super) fn new(
        me: Identity,
        clock: Arc<dyn Clock>,
        make: Make,
        (limit, wake): (Duration, Arc<Notify>),
    ) -> Self {
        Self { me, clock, make, limit, wake, leaving: Arc::default(), state: Mutex::default() }
    }

    /// Makes candidates for the shards of the layout and for all others whose Leases exist, and ends the rest. A candidate has to see a Lease for as long as
    /// its holder is honoured, so it begins with it, before the layout needs it.
    pub(super) fn fit(&self, known: Option<&Generation>, existing: &ShardLeases) {
        let width = known.map_or(0, Generation::width);
        let mut wanted: BTreeSet<ShardId> = (0..width).map(ShardId).collect();
        wanted.extend(existing.keys());
        let mut state = self.lock();
        let state = &mut *state;
        while state.tasks.try_join_next().is_some() {}
        // While the layout is not known, none is ended: it may be needed, and remembers who has held its Lease.
        let is_left_over = |shard: &ShardId| known.is_some() && !wanted.contains(shard);
        let ended: Vec<ShardId> = state.candidates.keys().copied().filter(is_left_over).collect();
        for shard in ended {
            let Some(candidate) = state.candidates.remove(&shard) else { continue };
            state.contending.remove(&shard);
            state.delays.remove(&shard);
            self.leaving.lock().insert(shard);
            let (leaving, wake, limit) = (self.leaving.clone(), self.wake.clone(), self.limit);
            state.tasks.spawn(async move {
                candidate.shutdown_within(limit).await;
                leaving.lock().remove(&shard);
                wake.notify_one();
            });
        }
        for shard in wanted {
            if state.candidates.contains_key(&shard) || self.leaving.lock().contains(&shard) {
                continue;
            }
            match (self.make)(shard) {
                Ok((candidate, report)) => {
                    state.tasks.spawn(report);
                    candidate.set_successors(state.successors.clone());
                    state.candidates.insert(shard, candidate);
                }
                Err(error) => tracing::error!(%shard, %error, "a shard cannot be contended for"),
            }
        }
    }

    /// Contends for all shards that the layout permits, or for none.
    pub(super) fn contend(&self, contending: bool, known: Option<&Generation>, disposition: Disposition) {
        let mut state = self.lock();
        let State { candidates, contending: before, .. } = &mut *state;
        for (shard, candidate) in candidates {
            let permitted = known.is_some_and(|known| leases::may_acquire(*shard, known));
            let contends = contending && permitted;
            if contends != before.contains(shard) {
                candidate.contend(contends);
                if contends {
                    before.insert(*shard)
                } else {
                    before.remove(shard)
                };
            }
            match (disposition, candidate.term()) {
                (Disposition::Drain, Some(term)) if !term.is_draining() => candidate.step_down(None),
                (Disposition::Abandon, Some(_)) => candidate.abandon(),
                // The layout has no such shard any more.
                (Disposition::Keep, Some(term)) if known.is_some() && !permitted && !term.is_draining() => {
                    candidate.step_down(None);
                }
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
        let expected = state.plan_cache.of(view);
        for (shard, candidate) in &state.candidates {
            let delay = takeover_delay_for(*shard, &self.me, expected, members, timings);
            if state.delays.insert(*shard, delay) != Some(delay) {
                candidate.set_acquire_delay(delay);
            }
        }
        let now = self.clock.now().monotonic;
        let punctual = view.membership.punctual(&self.me, now, longest_silence(timings));
        let successors = staying(&punctual);
        if state.successors != successors {
            state.candidates.values().for_each(|candidate| candidate.set_successors(successors.clone()));
            state.successors = successors;
        }
        let held = |shard: ShardId| state.candidates.get(&shard).and_then(Candidate::term);
        if let Some(handover) = &state.handover {
            // It is done when another replica holds the shard. A successor that does not take it must not block the others for ever.
            let holder = view.holders.get(&handover.shard).and_then(Option::as_ref);
            let done = held(handover.shard).is_none() && holder.is_some_and(|holder| *holder != self.me);
            let stuck = now.duration_since(handover.begun) > timings.lease_duration()
                && held(handover.shard).is_none_or(|term| !term.is_draining());
            if !done && !stuck {
                return;
            }
            state.handover = None;
        }
        let Some(plan) = plan.filter(|_| current) else { return };
        let held: Vec<ShardId> = state
            .candidates
            .keys()
            .copied()
            .filter(|shard| held(*shard).is_some_and(|term| !term.is_draining()))
            .collect();
        let held = in_turn(held, state.last);
        if let Some((shard, successor)) = next_handover(&held, &self.me, plan, &punctual) {
            tracing::info!(%shard, %successor, plan = plan.generation, "handing a shard over");
            state.handover = Some(Handover { shard, begun: now });
            state.last = Some(shard);
            state.candidates[&shard].step_down(Some(successor));
        }
    }

    /// Gives up all shards at the same time and names the successors by the next plan, which the coordinator computes in the same way.
    /// Returns no later than when all work has ended and `limit` is over.
    pub(super) async fn shut_down(self, next: Option<Plan>, limit: Duration) {
        let State { candidates, mut tasks, .. } = self.state.into_inner();
        let leaving = candidates.into_iter().map(|(shard, candidate)| {
            let successor = next.as_ref().and_then(|plan| plan.member(shard));
            async move {
                candidate.contend(false);
                candidate.step_down(successor);
                candidate.shutdown_within(limit).await;
            }
        });
        futures::future::join_all(leaving).await;
        // Those that have ended before; the reports end with their candidates.
        while tasks.join_next().await.is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
