//! What replicas do, and what happens to them.

use shard_router::layout_change::{acknowledge, buckets as rules, leases};

use super::{shard, spend};
use crate::{
    buckets,
    state::{BucketBits, Hold, Holder, MAX_SHARDS, Replica, State},
};

impl State {
    pub(super) fn observe(&mut self, r: usize) -> Option<()> {
        self.replicas[r].known = Some(self.committed?);
        Some(())
    }

    /// `confirms`: whether nothing starts before the coordinator Lease has been read again.
    pub(super) fn acquire(&mut self, r: usize, n: usize, confirms: bool) -> Option<()> {
        let known = self.replicas[r].known?;
        let mut lease = self.leases[n]?;
        let free = match lease.holder {
            Holder::Nobody => true,
            Holder::Placeholder => self.nobody_is_awaited_by(1 << n),
            Holder::Replica => false,
        };
        if !free || self.replicas[r].holds[n].is_some() || !leases::may_acquire(shard(n), &known) {
            return None;
        }
        lease.ack = leases::acknowledged_by_acquisition(lease.ack, &known);
        lease.holder = Holder::Replica;
        self.leases[n] = Some(lease);
        // The placeholder has lasted for LeaseDuration, and nobody acts on a view as old as that.
        self.ghosts[n] = None;
        let hold = Hold { ack: lease.ack, confirmed: !confirms, stands: true, running: 0, awaited_by: 0 };
        self.replicas[r].holds[n] = Some(hold);
        Some(())
    }

    pub(super) fn confirm(&mut self, r: usize, n: usize) -> Option<()> {
        let committed = self.committed?;
        let hold = self.replicas[r].holds[n].as_mut().filter(|hold| !hold.confirmed)?;
        hold.confirmed = true;
        self.replicas[r].known = Some(committed);
        Some(())
    }

    /// Each replica starts what the rules permit it to, at once: whatever would go wrong after a later start goes wrong after an earlier one too, as nothing but the end of a hold
    /// waits for the work.
    pub(super) fn start_what_may_be_started(&mut self) {
        let views = self.views();
        for replica in &mut self.replicas {
            let Some(known) = replica.known else { continue };
            for (n, hold) in replica.holds.iter_mut().enumerate() {
                let Some(hold) = hold.as_mut().filter(|hold| hold.confirmed) else { continue };
                let may = |bucket: &u8| {
                    let bucket = buckets::sample(*bucket);
                    views.iter().any(|seen| rules::may_start(shard(n), bucket, hold.ack, &known, seen))
                };
                hold.running |= bits(buckets::all().filter(may));
            }
        }
    }

    /// Acknowledges what the replica knows. Before that, it ends its work on what it has lost, unless the rule does not ask for that.
    pub(super) fn acknowledge(&mut self, r: usize, n: usize, answered: bool) -> Option<()> {
        let known = self.replicas[r].known?;
        let hold = self.replicas[r].holds[n].as_mut().filter(|hold| hold.stands)?;
        let may = |bucket: &u8| rules::may_continue(shard(n), buckets::sample(*bucket), hold.ack, &known);
        let kept = hold.running & bits(buckets::all().filter(may));
        let at_once = acknowledge::due(hold.ack, &known, kept != hold.running);
        let acknowledged = if let Some(acknowledged) = at_once {
            acknowledged
        } else {
            hold.running = kept;
            acknowledge::due(hold.ack, &known, false)?
        };
        if answered {
            hold.ack = acknowledged;
        }
        self.leases[n].as_mut()?.ack = acknowledged;
        Some(())
    }

    /// After all of its work has ended.
    pub(super) fn release(&mut self, r: usize, n: usize) -> Option<()> {
        let known = self.replicas[r].known?;
        self.replicas[r].holds[n].filter(|hold| hold.stands)?;
        let lease = self.leases[n].as_mut()?;
        lease.ack = acknowledge::by_release(lease.ack, &known);
        self.end(r, n)
    }

    /// The Lease is gone, or names somebody else: the replica sees that, or its renewals fail until its validity ends.
    pub(super) fn notice(&mut self, r: usize, n: usize) -> Option<()> {
        self.replicas[r].holds[n].filter(|hold| !hold.stands)?;
        self.end(r, n)
    }

    /// The replica is paused or cut off until its validity has ended.
    pub(super) fn cut_off(&mut self, r: usize, n: usize) -> Option<()> {
        self.replicas[r].holds[n]?;
        spend(&mut self.left.ends)?;
        self.end(r, n)
    }

    pub(super) fn crash(&mut self, r: usize) -> Option<()> {
        if self.replicas[r] == Replica::default() {
            return None;
        }
        spend(&mut self.left.ends)?;
        for n in 0..MAX_SHARDS {
            let _held = self.end(r, n);
        }
        self.replicas[r] = Replica::default();
        Some(())
    }

    /// Ends a hold with all of its work. From now on, others may take the Lease.
    pub(super) fn end(&mut self, r: usize, n: usize) -> Option<()> {
        let hold = self.replicas[r].holds[n].take()?;
        if hold.stands {
            self.leases[n].as_mut()?.holder = Holder::Nobody;
        }
        Some(())
    }

    pub(super) fn lose_an_answer(&mut self) -> Option<()> {
        spend(&mut self.left.lost_answers)
    }
}

fn bits(buckets: impl Iterator<Item = u8>) -> BucketBits {
    buckets.fold(0, |bits, bucket| bits | 1 << bucket)
}
