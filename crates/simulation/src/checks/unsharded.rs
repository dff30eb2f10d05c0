//! While an operator that does not shard holds the coordinator Lease, it reconciles everything; so no shard is worked on.
//!
//! A replica has to see it first: that takes [`Bounds::recovery`] at the most, the time until a look at each Lease is due. From
//! then on a reconcile of a replica that nothing hinders is an overlap. One that a fault keeps from seeing it goes on until then, which
//! is in the list of what is assumed.

use overlap_checker::Timeline;

use super::bounds::Bounds;
use super::eligibility::Eligibility;
use super::leases::{Histories, Role};
use super::reconciles::true_time;
use super::span::Span;
use super::{Check, short};
use crate::observations::{Observations, UNSHARDED};
use crate::time::TrueTime;

/// Judges every reconcile.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    histories: &Histories<'_>,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("unsharded");
    let held = held(histories, observations.ended);
    for process in &observations.processes {
        let seen_after = bounds.recovery(process.rate);
        let theirs = timeline.reconciles.iter().filter(|reconcile| reconcile.replica == process.identity);
        let theirs: Vec<_> = theirs.collect();
        for held in &held {
            let closed = Span::new(held.from + seen_after, held.to);
            if closed.is_empty()
                || !eligibility.throughout(&process.identity.0, Span::new(held.from, closed.from))
            {
                continue;
            }
            check.judged += 1;
            let beside = theirs.iter().find_map(|reconcile| {
                let ran = Span::new(true_time(reconcile.begun), true_time(reconcile.ran.to));
                let beside = ran.common(closed);
                // It may have lost sight of the Lease since.
                let saw = Span::new(
                    TrueTime::after_start(beside.from.since_start().saturating_sub(seen_after)),
                    beside.from,
                );
                (!beside.is_empty() && eligibility.throughout(&process.identity.0, saw))
                    .then_some((reconcile, beside))
            });
            if let Some((reconcile, beside)) = beside {
                check.violated(
                    beside.from,
                    format!(
                        "{} reconciled {} until {}, while an operator that does not shard held the coordinator Lease from {} \
                         to {}; it was to stop within {:?}.",
                        process.identity,
                        reconcile.cr,
                        beside.to,
                        held.from,
                        held.to,
                        short(seen_after)
                    ),
                );
            }
        }
    }
    check
}

/// When it held the Lease. What it would still believe in after its last write is left out.
fn held(histories: &Histories<'_>, ended: TrueTime) -> Vec<Span> {
    let mut held: Vec<Span> = Vec::new();
    let mut since = None;
    for state in histories.with(Role::Coordinator) {
        let holds = state.spec.as_ref().is_some_and(|spec| spec.held_by() == Some(UNSHARDED));
        match (since, holds) {
            (None, true) => since = Some((state.at, state.at)),
            (Some((from, _)), true) => since = Some((from, state.at)),
            (Some((from, last)), false) => {
                held.push(Span::new(from, last));
                since = None;
            }
            (None, false) => {}
        }
    }
    held.extend(since.map(|(from, last)| Span::new(from, last.min(ended))));
    held
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};
    use super::*;

    /// The predecessor takes the Lease at 40 s and renews until 70 s; A goes on reconciling.
    fn beside(begun: u64, until: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 20_000, 80_000).reconciled("a", 0, "m-0", begun, until);
        for when in (40_000..=70_000).step_by(2_000) {
            let mut state = run.observations.leases[0].clone();
            (state.at, state.version) = (at(when), when);
            state.spec.as_mut().expect("a Lease").holder = UNSHARDED.to_owned();
            run.observations.leases.push(state);
        }
        run
    }

    #[test]
    fn to_go_on_beside_it_is_caught() {
        let sentences = only_of(&beside(39_000, 60_000), "unsharded", 1);
        assert!(sentences[0].contains("a_1 reconciled"), "{sentences:?}");
        only_of(&beside(60_000, 61_000), "unsharded", 1);
    }

    #[test]
    fn to_stop_as_soon_as_it_is_seen_is_not() {
        only_of(&beside(39_000, 42_000), "unsharded", 0);
        only_of(&beside(72_000, 74_000), "unsharded", 0);
    }

    #[test]
    fn who_could_not_see_it_is_excused() {
        let mut run = beside(39_000, 44_000);
        let direction = crate::schedule::Direction::Both;
        run.fault(
            crate::schedule::FaultKind::Partition { slot: crate::schedule::Slot(0), direction },
            38_000,
            60_000,
        );
        only_of(&run, "unsharded", 0);
    }
}
