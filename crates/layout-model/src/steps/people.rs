//! What people do to Leases.

use super::spend;
use crate::state::{MAX_SHARDS, RECOVERY, State};

impl State {
    pub(super) fn delete_by_hand(&mut self, n: usize) -> Option<()> {
        self.leases[n]?;
        spend(&mut self.left.deletions)?;
        self.first_term = None;
        self.delete(n);
        Some(())
    }

    pub(super) fn delete_coordinator_by_hand(&mut self) -> Option<()> {
        self.committed.take()?;
        spend(&mut self.left.deletions)?;
        self.first_term = None;
        let existing = (0..MAX_SHARDS).filter(|n| self.leases[*n].is_some());
        self.seen_while_missing = existing.fold(0, |seen, n| seen | 1 << n);
        self.holds_mut().filter(|hold| !hold.stands).for_each(|hold| hold.awaited_by |= RECOVERY);
        Some(())
    }

    /// Deletes a shard Lease that exists. Its holder does not know yet.
    pub(super) fn delete(&mut self, n: usize) {
        self.ghosts[n] = self.leases[n].take().map(|lease| lease.ack);
        for hold in self.replicas.iter_mut().filter_map(|replica| replica.holds[n].as_mut()) {
            hold.stands = false;
        }
        // Whoever waited for its placeholder waits for that of the next one.
        self.holds_mut().for_each(|hold| hold.awaited_by &= !(1 << n));
    }
}
