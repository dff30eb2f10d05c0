//! Who cannot list its resources leaves its shards to those that can, and gets none back while that is so.
//!
//! Judged where nothing else goes wrong meanwhile and another replica is fit throughout. From [`Bounds::left_to_others`] on, the one that
//! cannot list holds no shard, and none changes hands.

use overlap_checker::{Hold, Timeline};

use super::bounds::Bounds;
use super::eligibility::Eligibility;
use super::reconciles::true_time;
use super::span::Span;
use super::{Check, short};
use crate::observations::{Observations, ObservedFault, Process};
use crate::schedule::{FaultKind, Listed, Slot};

/// Judges each time that a replica could not list its resources.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("unable");
    let bound = bounds.left_to_others();
    for (number, fault) in observations.faults.iter().enumerate() {
        let FaultKind::FailingList { slot, of: Listed::Resources, .. } = fault.fault.what else { continue };
        let judged = Span::new(fault.from + bound, fault.to);
        let Some(process) = calm(observations, number, fault, slot) else { continue };
        if judged.is_empty()
            || !another_is_fit(eligibility, process, fault)
            || !holds_some(timeline, process, fault)
        {
            continue;
        }
        check.judged += 1;
        for hold in &timeline.holds {
            let held = Span::new(true_time(hold.acquired), true_time(hold.valid.to)).common(judged);
            if held.is_empty() {
                continue;
            }
            if let Some(what) = wrong(hold, process, judged) {
                check.violated(
                    held.from,
                    format!(
                        "{} could not list its resources from {} to {}, others could; and {:?} after that began, {what}.",
                        process.identity,
                        fault.from,
                        fault.to,
                        short(held.from.since(fault.from)),
                    ),
                );
            }
        }
    }
    check
}

fn wrong(hold: &Hold, unable: &Process, judged: Span) -> Option<String> {
    if hold.replica == unable.identity {
        return Some(format!("it held shard {}", hold.shard));
    }
    let passed_on = true_time(hold.acquired) > judged.from;
    passed_on.then(|| format!("shard {} was passed on to {}", hold.shard, hold.replica))
}

/// The process that the fault befell, if it ran throughout and nothing else went wrong.
fn calm<'a>(
    observations: &'a Observations,
    number: usize,
    fault: &ObservedFault,
    slot: Slot,
) -> Option<&'a Process> {
    let during = Span::new(fault.from, fault.to);
    let other = |(other, happened): (usize, &ObservedFault)| {
        let span = Span::new(happened.from, happened.to);
        // Some happen in an instant.
        other != number && (span.overlaps(during) || (during.from..during.to).contains(&span.from))
    };
    if observations.faults.iter().enumerate().any(other) {
        return None;
    }
    observations.processes.iter().find(|process| {
        let ended = process.ended.map_or(observations.ended, |(at, _)| at);
        process.slot == slot && Span::new(process.started, ended).contains(during)
    })
}

fn another_is_fit(eligibility: &Eligibility<'_>, unable: &Process, fault: &ObservedFault) -> bool {
    let during = Span::new(fault.from, fault.to);
    eligibility
        .all()
        .any(|(process, fit)| process.slot != unable.slot && fit.iter().any(|fit| fit.contains(during)))
}

/// Whether it held a shard when the fault began: else it has nothing to leave.
fn holds_some(timeline: &Timeline, process: &Process, fault: &ObservedFault) -> bool {
    timeline.holds.iter().any(|hold| {
        let held = true_time(hold.acquired)..true_time(hold.valid.to);
        hold.replica == process.identity && held.contains(&fault.from)
    })
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};
    use crate::schedule::{FaultKind, LeaseChange, LeaseOf, Listed, Slot};

    /// A holds the only shard, may not list from 30 s on, and gives it up at `left` to B.
    fn unable(left: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.ends(300_000).runs("a", 0, 0).runs("b", 1, 0);
        run.fault(
            FaultKind::FailingList { slot: Slot(0), of: Listed::Resources, forbidden: true },
            30_000,
            250_000,
        );
        run.holds("a", 0, 20_000, left).released("a", 0, left + 100).holds("b", 0, left + 200, 300_000);
        run
    }

    #[test]
    fn who_leaves_its_shards_soon_passes() {
        only_of(&unable(60_000), "unable", 0);
    }

    #[test]
    fn who_keeps_them_is_caught() {
        let sentences = only_of(&unable(200_000), "unable", 2);
        assert!(sentences[0].contains("it held shard 0"), "{sentences:?}");
        assert!(sentences[1].contains("shard 0 was passed on to b_1"), "{sentences:?}");
    }

    #[test]
    fn who_is_given_them_back_is_caught() {
        let mut run = unable(60_000);
        run.released("b", 0, 180_000).holds("a", 0, 180_200, 190_000);
        assert!(only_of(&run, "unable", 1)[0].contains("it held shard 0"));
    }

    #[test]
    fn where_nobody_else_is_fit_or_something_else_goes_wrong_nobody_is_blamed() {
        let mut run = unable(200_000);
        run.killed("b", 100_000);
        only_of(&run, "unable", 0);
        let mut run = unable(200_000);
        run.fault(
            FaultKind::ChangeLease { lease: LeaseOf::Coordinator, what: LeaseChange::Delete },
            100_000,
            100_000,
        );
        only_of(&run, "unable", 0);
    }
}
