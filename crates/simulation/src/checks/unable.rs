//! Who cannot list its resources leaves its shards to those that can, and gets none back while that is so.
//!
//! Judged where nothing else goes wrong meanwhile and another replica is fit throughout. From [`Bounds::left_to_others`] on, the one that
//! cannot list holds no shard, and none changes hands.

use overlap_checker::{Hold, Timeline};

use super::bounds::Bounds;
use super::fitness::Fitness;
use super::reconciles::true_time;
use super::span::Span;
use super::{Check, short};
use crate::observations::{Happened, Observations, Process};
use crate::schedule::{FaultKind, Listed, Seat};

/// Judges each time that a replica could not list its resources.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    fitness: &Fitness<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("unable");
    let bound = bounds.left_to_others();
    for (number, fault) in observations.faults.iter().enumerate() {
        let FaultKind::FailingList { seat, of: Listed::Resources, .. } = fault.fault.what else { continue };
        let judged = Span::new(fault.from + bound, fault.to);
        let Some(process) = calm(observations, number, fault, seat) else { continue };
        if judged.is_empty()
            || !another_is_fit(fitness, process, fault)
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
    fault: &Happened,
    seat: Seat,
) -> Option<&'a Process> {
    let during = Span::new(fault.from, fault.to);
    let other = |(other, happened): (usize, &Happened)| {
        let span = Span::new(happened.from, happened.to);
        // Some happen in an instant.
        other != number && (span.overlaps(during) || (during.from..during.to).contains(&span.from))
    };
    if observations.faults.iter().enumerate().any(other) {
        return None;
    }
    observations.processes.iter().find(|process| {
        let ended = process.ended.map_or(observations.ended, |(at, _)| at);
        process.seat == seat && Span::new(process.started, ended).contains(during)
    })
}

fn another_is_fit(fitness: &Fitness<'_>, unable: &Process, fault: &Happened) -> bool {
    let during = Span::new(fault.from, fault.to);
    fitness
        .all()
        .any(|(process, fit)| process.seat != unable.seat && fit.iter().any(|fit| fit.contains(during)))
}

/// Whether it held a shard when the fault began: else it has nothing to leave.
fn holds_some(timeline: &Timeline, process: &Process, fault: &Happened) -> bool {
    timeline.holds.iter().any(|hold| {
        let held = true_time(hold.acquired)..true_time(hold.valid.to);
        hold.replica == process.identity && held.contains(&fault.from)
    })
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, only_of};
    use crate::schedule::{FaultKind, HandOnLease, LeaseOf, Listed, Seat};

    /// A holds the only shard, may not list from 30 s on, and gives it up at `left` to B.
    fn unable(left: u64) -> Story {
        let mut story = Story::settled();
        story.ends(300_000).runs("a", 0, 0).runs("b", 1, 0);
        story.fault(
            FaultKind::FailingList { seat: Seat(0), of: Listed::Resources, forbidden: true },
            30_000,
            250_000,
        );
        story.holds("a", 0, 20_000, left).released("a", 0, left + 100).holds("b", 0, left + 200, 300_000);
        story
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
        let mut story = unable(60_000);
        story.released("b", 0, 180_000).holds("a", 0, 180_200, 190_000);
        assert!(only_of(&story, "unable", 1)[0].contains("it held shard 0"));
    }

    #[test]
    fn where_nobody_else_is_fit_or_something_else_goes_wrong_nobody_is_blamed() {
        let mut story = unable(200_000);
        story.killed("b", 100_000);
        only_of(&story, "unable", 0);
        let mut story = unable(200_000);
        story.fault(
            FaultKind::Hand { lease: LeaseOf::Coordinator, what: HandOnLease::Delete },
            100_000,
            100_000,
        );
        only_of(&story, "unable", 0);
    }
}
