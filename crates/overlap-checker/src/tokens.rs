//! Fencing tokens only grow, except that they go back when etcd is restored from a backup.

use std::collections::HashMap;
use std::time::Duration;

use super::timeline::{Reconcile, Timeline};
use super::verdict::{Check, Violation};
use crate::records::Uid;

const NAME: &str = "tokens";

/// Per shard: each later hold has a larger token. Per CR: a later reconcile never has a smaller token, and a
/// larger one when the owner is another.
///
/// All of this holds within an epoch: from one restore of etcd to the next.
///
/// CRs are distinguished by uid. A recreated CR of the same name may have another shard key and belong to another shard, whose hold may
/// be older than that of the first.
pub(super) fn check(timeline: &Timeline) -> Check {
    let mut check = Check::new(NAME, "holds and reconciles");
    check.examined = (timeline.holds.len() + timeline.reconciles.len()) as u64;
    per_shard(timeline, &mut check.violations);
    let of_pair = |(earlier, later): (usize, usize)| {
        violation(timeline, &timeline.reconciles[earlier], &timeline.reconciles[later])
    };
    check.violations.extend(per_cr(&timeline.reconciles).into_iter().map(of_pair));
    check
}

fn per_shard(timeline: &Timeline, violations: &mut Vec<Violation>) {
    for (shard, holds) in timeline.by_shard() {
        for pair in holds.windows(2) {
            let [earlier, later] = [pair[0], pair[1]];
            if (earlier.epoch, earlier.token) < (later.epoch, later.token) {
                continue;
            }
            violations.push(Violation {
                sentence: format!(
                    "The token of {} did not grow from one hold to the next: {} and then {}.",
                    shard.described(),
                    earlier.describe(&timeline.clock),
                    later.describe(&timeline.clock)
                ),
                cr: None,
                shard: Some(shard),
                replicas: vec![earlier.replica.clone(), later.replica.clone()],
                first: Some(earlier.valid),
                second: Some(later.valid),
                by: Duration::ZERO,
            });
        }
    }
}

fn per_cr(reconciles: &[Reconcile]) -> Vec<(usize, usize)> {
    // The reconcile with the largest token so far: comparing with the last one only would forgive a fall that
    // lasts.
    let mut largest: HashMap<&Uid, usize> = HashMap::new();
    let mut falls = Vec::new();
    for (index, later) in reconciles.iter().enumerate() {
        let earlier_index = *largest.entry(&later.uid).or_insert(index);
        let earlier = &reconciles[earlier_index];
        let (before, after) = ((earlier.epoch, earlier.token), (later.epoch, later.token));
        if after < before || (after == before && later.replica != earlier.replica) {
            falls.push((earlier_index, index));
        }
        if after > before {
            largest.insert(&later.uid, index);
        }
    }
    falls
}

fn violation(timeline: &Timeline, earlier: &Reconcile, later: &Reconcile) -> Violation {
    Violation {
        sentence: format!(
            "The token of {} did not grow with its owner: {} and then {}.",
            later.cr,
            earlier.describe(&timeline.clock),
            later.describe(&timeline.clock)
        ),
        cr: Some(later.cr.clone()),
        shard: Some(later.shard),
        replicas: vec![earlier.replica.clone(), later.replica.clone()],
        first: Some(earlier.ran),
        second: Some(later.ran),
        by: Duration::ZERO,
    }
}
