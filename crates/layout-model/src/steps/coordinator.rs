//! What the coordinator does. It does not matter which replica that is: it records by updates of the Lease that it holds, so it knows what that Lease says.

use shard_router::{
    ShardCount,
    layout_change::{Generation, commit, leases, recovery},
};

use super::{shard, spend};
use crate::state::{Holder, Lease, RECOVERY, State};

impl State {
    pub(super) fn commit(&mut self, shards: ShardCount) -> Option<()> {
        let current = self.committed?;
        if !commit::may_commit(&current, shards, &self.leases_now()) {
            return None;
        }
        spend(&mut self.left.changes)?;
        self.record(commit::next(&current, shards));
        self.first_term = None;
        Some(())
    }

    /// Creates a Lease that this generation needs, or, if the count may still change, the next one. `shards` is the most that a layout has.
    pub(super) fn create(&mut self, n: usize, shards: usize) -> Option<()> {
        let current = self.committed.filter(|_| self.leases[n].is_none())?;
        let most = u16::try_from(shards).ok()?.try_into().ok()?;
        let wanted = if self.left.changes > 0 { most } else { current.shards };
        leases::needed(&current, wanted).find(|needed| *needed == shard(n))?;
        let may_have_existed = self.first_term.is_none_or(|created| created & (1 << n) != 0);
        let placeholder = leases::born_with_placeholder(may_have_existed);
        let holder = if placeholder { Holder::Placeholder } else { Holder::Nobody };
        self.leases[n] = Some(Lease { ack: leases::NOTHING, holder });
        if let Some(created) = &mut self.first_term {
            *created |= 1 << n;
        }
        if placeholder {
            self.holds_mut().filter(|hold| !hold.stands).for_each(|hold| hold.awaited_by |= 1 << n);
        }
        Some(())
    }

    /// Its view of the shard Leases may be behind.
    pub(super) fn settle(&mut self) -> Option<()> {
        let current = self.committed.filter(|current| !current.settled)?;
        if !self.views().iter().any(|seen| commit::is_settled(&current, seen)) {
            return None;
        }
        self.record(Generation { settled: true, ..current });
        Some(())
    }

    pub(super) fn collect(&mut self, n: usize) -> Option<()> {
        self.leases[n]
            .filter(|_| self.committed.is_some_and(|current| leases::may_delete(shard(n), &current)))?;
        self.delete(n);
        Some(())
    }

    /// One LeaseDuration after the coordinator Lease was found missing: whoever had lost a Lease by then has ended.
    pub(super) fn recover(&mut self, shards: ShardCount, outnumbers_all: bool) -> Option<()> {
        if !recovery::is_needed(self.committed.as_ref(), &self.leases_now())
            || !self.nobody_is_awaited_by(RECOVERY)
        {
            return None;
        }
        let mut seen = self.leases_now();
        for n in (0..self.ghosts.len()).filter(|n| self.seen_while_missing & (1 << n) != 0) {
            seen.entry(shard(n)).or_insert(self.ghosts[n].unwrap_or(leases::NOTHING));
        }
        // In production this is the version of the write by which the coordinator acquired its Lease. Numbers grow by one with a write, so none is larger.
        let larger_than = if outnumbers_all { self.largest } else { 0 };
        self.record(recovery::recovered(shards, &seen, larger_than));
        self.seen_while_missing = 0;
        Some(())
    }

    fn record(&mut self, generation: Generation) {
        self.committed = Some(generation);
        self.largest = self.largest.max(generation.number);
    }
}
