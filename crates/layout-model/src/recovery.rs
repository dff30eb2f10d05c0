//! Whether the replicas reach a settled layout once nothing goes wrong any more.

use crate::{
    action::{Action, count_of},
    buckets,
    model::LayoutModel,
    state::{Holder, State},
};

/// More steps than any recovery takes.
const LIMIT: usize = 400;

impl LayoutModel {
    /// Whether a settled layout is reached from here when nothing goes wrong any more, all changes that are left included.
    ///
    /// Any one way there shows that the state is no dead end, so the first step in a fixed order is taken each time.
    pub fn recovers(&self, from: &State) -> bool {
        let mut state = *from;
        let mut passed = Vec::new();
        for _ in 0..LIMIT {
            if self.recovered.knows(&state) {
                break;
            }
            passed.push(state);
            match self.orderly_step(&state) {
                Some(next) => state = next,
                None if self.is_settled(&state) => break,
                None => return false,
            }
        }
        if passed.len() == LIMIT {
            return false;
        }
        for state in &passed {
            self.recovered.add(state);
        }
        true
    }

    /// Whether nothing is left to do: each bucket is worked on, and no Lease is left over.
    pub fn is_settled(&self, state: &State) -> bool {
        let Some(current) = state.committed.filter(|current| current.settled) else { return false };
        let exactly = state.leases_now().into_keys().eq(current.shards.shards());
        let held = state.leases.iter().flatten().all(|lease| lease.holder == Holder::Replica);
        let running = state.holds().fold(0, |running, hold| running | hold.running);
        let every = buckets::all().fold(0, |every, bucket| every | 1 << bucket);
        exactly && held && running == every && state.left.changes == 0
    }

    /// The first step in this order that is possible and no fault.
    fn orderly_step(&self, state: &State) -> Option<State> {
        let (replicas, shards) = (self.replicas, self.shards);
        let each = move |step: fn(usize, usize) -> Action| {
            (0..replicas).flat_map(move |r| (0..shards).map(move |n| step(r, n)))
        };
        // The next count, as long as there are changes left.
        let present = state.committed.map_or(shards, |current| usize::from(current.shards.get()));
        let wanted = if state.left.changes > 0 { present % shards + 1 } else { present };
        let kept = present.max(wanted);
        each(|r, n| Action::Notice { r, n })
            .chain((0..replicas).map(|r| Action::Observe { r }))
            .chain(each(|r, n| Action::Confirm { r, n }))
            .chain(each(|r, n| Action::Acknowledge { r, n }))
            .chain([Action::Recover { shards: count_of(shards) }, Action::Settle])
            .chain((kept..shards).map(|n| Action::Collect { n }))
            .chain(
                (0..shards)
                    .filter(|n| *n < kept || state.committed.is_some_and(|current| !current.settled))
                    .map(|n| Action::Create { n }),
            )
            .chain(each(|r, n| Action::Acquire { r, n }))
            .chain([Action::Commit { shards: count_of(wanted) }])
            .find_map(|action| self.apply(state, action))
    }
}
