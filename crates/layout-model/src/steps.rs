//! What each step needs, and what it does. Whatever the protocol decides is asked of the production rules.

mod coordinator;
mod people;
mod replica;

use shard_router::ShardId;

use crate::{action::Action, model::LayoutModel, state::State};

impl LayoutModel {
    /// The state after this step; `None` if it cannot happen.
    pub fn apply(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::Observe { r } => state.observe(r),
            Action::Acquire { r, n } => state.acquire(r, n, self.confirms),
            Action::AcquireUnanswered { r, n } => {
                state.lose_an_answer()?;
                state.acquire(r, n, self.confirms)?;
                state.end(r, n)
            }
            Action::Confirm { r, n } => state.confirm(r, n),
            Action::Acknowledge { r, n } => state.acknowledge(r, n, true),
            Action::AcknowledgeUnanswered { r, n } => {
                state.lose_an_answer()?;
                state.acknowledge(r, n, false)
            }
            Action::Release { r, n } => state.release(r, n),
            Action::Notice { r, n } => state.notice(r, n),
            Action::End { r, n } => state.cut_off(r, n),
            Action::Crash { r } => state.crash(r),
            Action::Commit { shards } => state.commit(shards),
            Action::Create { n } => state.create(n, self.shards),
            Action::Settle => state.settle(),
            Action::Collect { n } => state.collect(n),
            Action::Recover { shards } => state.recover(shards, self.outnumbers_all),
            Action::DeleteByHand { n } => state.delete_by_hand(n),
            Action::DeleteCoordinatorByHand => state.delete_coordinator_by_hand(),
        }?;
        state.start_what_may_be_started();
        let state = if self.symmetric { state.canonical(self.replicas) } else { state };
        Some(state).filter(|state| state != last)
    }
}

fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

/// The shard of this position.
fn shard(n: usize) -> ShardId {
    ShardId(u16::try_from(n).expect("there are few"))
}
