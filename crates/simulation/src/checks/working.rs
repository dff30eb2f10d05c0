//! Held is not working: whoever holds a shard, and is fit, begins to reconcile its resources within [`Bounds::begun`].
//!
//! A shard is judged if it is known to have something to do: a resource that was reconciled in it before, that is still there at the
//! end under the same uid and the same key, and that nobody has put anything odd into. Whatever else is in the shard is no excuse,
//! least of all an object that does not decode.

use std::collections::{BTreeMap, BTreeSet};

use overlap_checker::Timeline;
use overlap_checker::records::{CrKey, Replica, Shard};

use super::bounds::Bounds;
use super::eligibility::Eligibility;
use super::reconciles::{NAMESPACE, true_time};
use super::span::{Span, near};
use super::{Check, short};
use crate::observations::Observations;
use crate::schedule::FaultKind;
use crate::time::TrueTime;

/// Judges each hold of a shard.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("working");
    // Where the number of shards changes, a shard of the same number has other resources afterwards, or none.
    if observations
        .faults
        .iter()
        .any(|fault| matches!(fault.fault.what, FaultKind::OtherShards { .. } | FaultKind::WantedShards(_)))
    {
        return check;
    }
    let plain = plain(observations);
    // What a hold has to wait for when the layout changes is recorded as another one of the same shard, with a token of its own.
    let mut begun: BTreeMap<(&Replica, Shard), Vec<TrueTime>> = BTreeMap::new();
    for reconcile in &timeline.reconciles {
        if let Some(hold) = reconcile.hold.map(|hold| &timeline.holds[hold]) {
            begun.entry((&hold.replica, hold.shard)).or_default().push(true_time(reconcile.begun));
        }
    }
    for hold in &timeline.holds {
        let acquired = true_time(hold.acquired);
        let of_shard = begun.get(&(&hold.replica, hold.shard)).into_iter().flatten().copied();
        let begun = of_shard.filter(|at| *at >= acquired).min();
        let ended = true_time(hold.valid.to).min(observations.ended);
        let idle = Span::new(acquired, begun.unwrap_or(ended).min(ended));
        let Some((process, fit)) = eligibility.all().find(|(process, _)| process.identity == hold.replica)
        else {
            continue;
        };
        if idle.is_empty() || !has_work(timeline, &plain, hold.shard, acquired) {
            continue;
        }
        check.judged += 1;
        let bound = bounds.begun(process.rate);
        let late = near(fit, idle).map(|fit| fit.common(idle)).find(|span| span.length() > bound);
        if let Some(span) = late {
            let then = begun.map_or("never".to_owned(), |at| format!("at {at}"));
            check.violated(
                span.from,
                format!(
                    "{} held shard {} from {acquired} to {ended} and began its first reconcile {then}; it was fit from {} to {}, which is {:?} \
                     longer than the bound of {:?}.",
                    hold.replica,
                    hold.shard,
                    span.from,
                    span.to,
                    short(span.length().saturating_sub(bound)),
                    short(bound)
                ),
            );
        }
    }
    check
}

/// The resources that stayed in one shard, decodable, from their creation to the end: by name and uid.
pub(super) fn plain(observations: &Observations) -> BTreeSet<(CrKey, String)> {
    let odd: BTreeSet<String> = observations
        .faults
        .iter()
        .filter_map(|fault| match fault.fault.what {
            FaultKind::Oddity { resource, .. }
            | FaultKind::Label { resource, .. }
            | FaultKind::StripFinalizer { resource, .. } => Some(format!("cache-{}", resource.0)),
            _ => None,
        })
        .collect();
    let desired =
        observations.desired.iter().filter(|(name, wish)| wish.keys.len() == 1 && !odd.contains(*name));
    desired.map(|(name, wish)| (CrKey::new(NAMESPACE, name), wish.uid.clone())).collect()
}

/// Whether one of these was reconciled in this shard before.
fn has_work(timeline: &Timeline, plain: &BTreeSet<(CrKey, String)>, shard: Shard, before: TrueTime) -> bool {
    timeline.reconciles.iter().any(|reconcile| {
        reconcile.shard == shard
            && true_time(reconcile.begun) < before
            && plain.contains(&(reconcile.cr.clone(), reconcile.uid.0.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};
    use crate::schedule::{FaultKind, Listed, Oddity, ResourceIndex, Slot};

    /// A reconciles `cache-0`, and B takes the shard over at 50 s, to reconcile it at `begun`.
    fn taken_over(begun: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).desired("cache-0", 1, 64);
        run.holds("a", 0, 20_000, 48_000).reconciled("a", 0, "cache-0", 21_000, 22_000);
        run.released("a", 0, 49_000).holds("b", 0, 50_000, 100_000);
        run.reconciled("b", 0, "cache-0", begun, begun + 100);
        run
    }

    #[test]
    fn who_begins_soon_works() {
        only_of(&taken_over(52_000), "working", 0);
    }

    #[test]
    fn who_holds_a_shard_and_does_nothing_is_caught() {
        let sentences = only_of(&taken_over(90_000), "working", 1);
        assert!(sentences[0].contains("b_1 held shard 0 from 50.000"), "{sentences:?}");
    }

    #[test]
    fn an_object_that_does_not_decode_excuses_nobody() {
        let mut run = taken_over(90_000);
        let what = FaultKind::Oddity { resource: ResourceIndex(1), what: Oddity::Undecodable };
        run.fault(what, 45_000, 95_000);
        only_of(&run, "working", 1);
    }

    #[test]
    fn who_may_not_list_and_who_has_nothing_to_do_are_excused() {
        let mut run = taken_over(90_000);
        run.fault(
            FaultKind::FailingList { slot: Slot(1), of: Listed::Resources, forbidden: true },
            45_000,
            95_000,
        );
        only_of(&run, "working", 0);
        let mut run = taken_over(90_000);
        run.observations.desired.clear();
        only_of(&run, "working", 0);
    }
}
