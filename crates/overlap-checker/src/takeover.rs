//! How long each shard of a lost replica took to get a new owner, and its CRs to be reconciled by it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::clock::Moment;
use super::timeline::{Hold, Timeline};
use crate::records::{CrKey, Replica, Shard, Stamp};

/// The takeover of a shard from a lost replica.
#[derive(Debug, Clone)]
pub struct Takeover {
    /// The shard.
    pub shard: Shard,
    /// The new holder; `None` if there is none.
    pub to: Option<Replica>,
    /// From the fault to the next valid holder.
    pub owned_after: Option<Duration>,
    /// From the fault to the first reconcile that the next holder, or one after it, began, for each CR that
    /// had last been reconciled under the lost hold; none for CRs that were not reconciled again.
    pub reconciled_after: BTreeMap<CrKey, Option<Duration>>,
}

impl Takeover {
    /// From the fault to the first reconcile of the last affected CR; none when one is still missing.
    pub fn all_reconciled_after(&self) -> Option<Duration> {
        self.reconciled_after.values().copied().collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// CRs that no later holder has reconciled yet.
    pub fn missing(&self) -> usize {
        self.reconciled_after.values().filter(|after| after.is_none()).count()
    }
}

/// The takeovers of all shards that `lost` held at `fault`. For a gentle termination, `fault` is the signal,
/// and the time includes the drain. None when no record shares the fault's clock.
pub fn takeovers(timeline: &Timeline, lost: &Replica, fault: &Stamp) -> Option<Vec<Takeover>> {
    let fault = timeline.clock.of_stamp(fault)?;
    let held = timeline
        .holds
        .iter()
        .filter(|hold| hold.replica == *lost && hold.acquired <= fault && fault < hold.valid.to);
    Some(held.map(|hold| takeover(timeline, hold, fault)).collect())
}

fn takeover(timeline: &Timeline, lost: &Hold, fault: Moment) -> Takeover {
    let next = timeline
        .holds
        .iter()
        .find(|next| next.shard == lost.shard && next.replica != lost.replica && next.token > lost.token);
    let mut affected: HashSet<&CrKey> = HashSet::new();
    let mut reconciled_after = BTreeMap::new();
    for reconcile in timeline.reconciles.iter().filter(|reconcile| reconcile.shard == lost.shard) {
        if reconcile.begun < fault {
            if reconcile.replica == lost.replica && reconcile.token == lost.token {
                affected.insert(&reconcile.cr);
            }
            continue;
        }
        if reconcile.token > lost.token && affected.contains(&reconcile.cr) {
            reconciled_after
                .entry(reconcile.cr.clone())
                .or_insert_with(|| Some(reconcile.begun.since(fault)));
        }
    }
    for cr in affected {
        reconciled_after.entry(cr.clone()).or_insert(None);
    }
    Takeover {
        shard: lost.shard,
        to: next.map(|next| next.replica.clone()),
        owned_after: next.map(|next| next.acquired.since(fault)),
        reconciled_after,
    }
}
