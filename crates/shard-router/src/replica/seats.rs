//! The candidates for the shard Leases: one each.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lease_core::{Candidate, Clock, Identity, Monotonic, Successors, Timings};
use parking_lot::{Mutex, MutexGuard};

use super::forecast::Forecast;
use super::intent::{in_turn, next_handover, patience_for, staying};
use crate::{
    membership::world::World,
    routing::{
        bucket::{ShardCount, ShardId},
        plan::Plan,
    },
};

/// One candidate for each shard, and the handover that is under way.
pub(super) struct Seats {
    me: Identity,
    clock: Arc<dyn Clock>,
    shards: ShardCount,
    candidates: BTreeMap<ShardId, Candidate>,
    memory: Mutex<Memory>,
}

/// What is to become of the shards that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// They go on.
    Keep,
    /// Running reconciles may finish.
    Drain,
    /// They end at once, as on the loss of their Leases.
    Abandon,
}

#[derive(Default)]
struct Memory {
    standing: bool,
    patience: BTreeMap<ShardId, Duration>,
    successors: Successors,
    handover: Option<Handover>,
    forecast: Forecast,
    /// The shard that was handed over last, or was to be.
    last: Option<ShardId>,
}

struct Handover {
    shard: ShardId,
    begun: Monotonic,
}

impl Seats {
    pub(super) fn new(me: Identity, clock: Arc<dyn Clock>, shards: ShardCount) -> Self {
        Self { me, clock, shards, candidates: BTreeMap::new(), memory: Mutex::default() }
    }

    pub(super) fn add(&mut self, shard: ShardId, candidate: Candidate) {
        self.candidates.insert(shard, candidate);
    }

    /// Contends for all shards, or for none.
    pub(super) fn stand(&self, standing: bool, held: Held) {
        let changed = {
            let mut memory = self.lock();
            std::mem::replace(&mut memory.standing, standing) != standing
        };
        for candidate in self.candidates.values() {
            if changed {
                candidate.stand(standing);
            }
            match (held, candidate.term()) {
                (Held::Drain, Some(term)) if !term.is_draining() => candidate.step_down(None),
                (Held::Abandon, Some(_)) => candidate.abandon(),
                _ => {}
            }
        }
    }

    /// Adjusts patience to the plan, and hands over what the plan gives to others, one shard at a time. `current`: the
    /// own view is known to be up to date, and membership has been stable for a while.
    pub(super) fn follow(&self, world: &World, current: bool, timings: Timings) {
        let (plan, members) = (world.current_plan(), world.membership.members());
        // Whom the coordinator would name if it looked now. So the shards of a member that has just died go at once to
        // those who will keep them, rather than to whoever is first and then on to somebody else.
        let mut memory = self.lock();
        let memory = &mut *memory;
        let expected = memory.forecast.of(world, self.shards);
        for (shard, candidate) in &self.candidates {
            let patience = patience_for(*shard, &self.me, expected, members, timings);
            if memory.patience.insert(*shard, patience) != Some(patience) {
                candidate.set_patience(patience);
            }
        }
        let successors = staying(members);
        if memory.successors != successors {
            self.candidates.values().for_each(|candidate| candidate.set_successors(successors.clone()));
            memory.successors = successors;
        }
        let now = self.clock.now().monotonic;
        if let Some(handover) = &memory.handover {
            // Done when another holds it. A successor that does not come must not stop the others for ever.
            let holder = world.holders.get(&handover.shard).and_then(Option::as_ref);
            let done = self.held(handover.shard).is_none() && holder.is_some_and(|holder| *holder != self.me);
            let stuck = now.duration_since(handover.begun) > timings.lease_duration()
                && self.held(handover.shard).is_none_or(|term| !term.is_draining());
            if !done && !stuck {
                return;
            }
            memory.handover = None;
        }
        let Some(plan) = plan.filter(|_| current) else { return };
        let held: Vec<ShardId> = self
            .candidates
            .keys()
            .copied()
            .filter(|shard| self.held(*shard).is_some_and(|term| !term.is_draining()))
            .collect();
        let held = in_turn(held, memory.last);
        if let Some((shard, successor)) = next_handover(&held, &self.me, plan, members) {
            tracing::info!(%shard, %successor, plan = plan.generation, "handing a shard over");
            memory.handover = Some(Handover { shard, begun: now });
            memory.last = Some(shard);
            self.candidates[&shard].step_down(Some(successor));
        }
    }

    /// Gives everything up at once, in favour of whom the next plan will name: the coordinator computes the same.
    /// Returns no later than when all work has ended and `limit` is over.
    pub(super) async fn leave(self, next: Option<Plan>, limit: Duration) {
        let leaving = self.candidates.into_iter().map(|(shard, candidate)| {
            let successor = next.as_ref().and_then(|plan| plan.member(shard));
            async move {
                candidate.stand(false);
                candidate.step_down(successor);
                candidate.shutdown_within(limit).await;
            }
        });
        futures::future::join_all(leaving).await;
    }

    fn held(&self, shard: ShardId) -> Option<lease_core::Term> {
        self.candidates.get(&shard).and_then(Candidate::term)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock()
    }
}
