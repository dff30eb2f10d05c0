//! No CR is reconciled twice at the same time.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::clock::short;
use super::timeline::{Reconcile, Timeline};
use super::verdict::{Check, Violation};

pub(super) const NAME: &str = "overlap";

/// Compares the intervals of all reconciles of one CR, by namespace/name and by uid.
///
/// Two overlapping reconciles of one CR within one process are reported too: a hold must not be acquired
/// again before the reconciles of the earlier one have been joined.
pub(super) fn check(timeline: &Timeline) -> Check {
    let mut check = Check::new(NAME, "reconciles");
    check.examined = timeline.reconciles.len() as u64;
    let mut pairs = BTreeSet::new();
    overlapping_pairs(&timeline.reconciles, |r| &r.cr, &mut pairs);
    overlapping_pairs(&timeline.reconciles, |r| &r.uid, &mut pairs);
    check.violations = pairs
        .into_iter()
        .map(|(first, second)| violation(timeline, &timeline.reconciles[first], &timeline.reconciles[second]))
        .collect();
    check
}

/// A sweep in the order of beginning: only the reconciles still running when the next one begins can overlap
/// with it.
fn overlapping_pairs<'a, K: Hash + Eq + 'a>(
    reconciles: &'a [Reconcile],
    key: impl Fn(&'a Reconcile) -> &'a K,
    pairs: &mut BTreeSet<(usize, usize)>,
) {
    let mut running: HashMap<&K, Vec<usize>> = HashMap::new();
    for (index, reconcile) in reconciles.iter().enumerate() {
        let running = running.entry(key(reconcile)).or_default();
        running.retain(|earlier| reconciles[*earlier].ran.to > reconcile.ran.from);
        for earlier in running.iter() {
            if reconciles[*earlier].ran.overlap(&reconcile.ran).is_some() {
                pairs.insert((*earlier, index));
            }
        }
        running.push(index);
    }
}

fn violation(timeline: &Timeline, first: &Reconcile, second: &Reconcile) -> Violation {
    let by = first.ran.overlap(&second.ran).unwrap_or_default();
    let who = if first.replica == second.replica { "twice by one replica" } else { "by two replicas" };
    Violation {
        sentence: format!(
            "{} was reconciled {who} at once for {:?}: {} and {}.",
            second.cr,
            short(by),
            first.describe(&timeline.clock),
            second.describe(&timeline.clock)
        ),
        cr: Some(second.cr.clone()),
        shard: Some(second.shard),
        replicas: vec![first.replica.clone(), second.replica.clone()],
        first: Some(first.ran),
        second: Some(second.ran),
        by,
    }
}
