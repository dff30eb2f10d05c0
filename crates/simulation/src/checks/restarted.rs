//! Whoever starts again in the same Pod takes back what the process before it held, within [`Bounds::taken_back`] of its start, and does not wait
//! until that expires.
//!
//! Judged for each Lease that named such a process when its successor started, unless something hinders the successor, or somebody else
//! changes the Lease meanwhile: then it is followed like any other. That nothing is taken too early is for `one-holder` and `writes` to judge.

use std::collections::HashSet;

use super::bounds::Bounds;
use super::eligibility::Eligibility;
use super::leases::{Histories, Role, has_layout, state_at};
use super::span::Span;
use super::{Check, short};
use crate::observations::{LeaseState, Observations, Process};

/// Judges each process that knew of others before it.
pub(super) fn check(
    observations: &Observations,
    histories: &Histories<'_>,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("restarted");
    for process in observations.processes.iter().filter(|process| !process.ended_before.is_empty()) {
        let by = process.started + bounds.taken_back(process.rate);
        let judged = Span::new(process.started, by);
        if by > observations.ended
            || !eligibility.unhindered(process, judged, observations)
            || !laid_out(histories, judged, observations)
        {
            continue;
        }
        let before: HashSet<&str> = process.ended_before.iter().map(|identity| identity.0.as_str()).collect();
        for (name, states) in histories.all().filter(|(name, _)| Role::of(name) != Role::Member) {
            if !is_left(states, &before, process) {
                continue;
            }
            // What the process before it has sent may still arrive. All else is news.
            let by_itself =
                |state: &&&LeaseState| state.by.as_ref().is_some_and(|by| before.contains(by.0.as_str()));
            let after = states.partition_point(|state| state.at <= process.started);
            let next = states[after..].iter().find(|state| !by_itself(state));
            if next.is_some_and(|next| next.at <= by && next.by.is_none()) {
                continue;
            }
            check.judged += 1;
            if next.is_none_or(|next| next.at > by) {
                let when = next.map_or("never".to_owned(), |next| format!("at {}", next.at));
                check.violated(
                    by,
                    format!(
                        "{} started at {} in the Pod of a process that had ended, and held {name}; that was to be taken back within {:?}, and was \
                         taken {when}.",
                        process.identity,
                        process.started,
                        short(by.since(process.started)),
                    ),
                );
            }
        }
    }
    check
}

/// Whether it named a process that had ended when this one started.
fn is_left(states: &[&LeaseState], before: &HashSet<&str>, process: &Process) -> bool {
    let state = state_at(states, process.started);
    let holder = state.and_then(|state| state.spec.as_ref()?.held_by());
    holder.is_some_and(|holder| before.contains(holder))
}

/// Whether a layout is committed throughout: without one, nobody takes a shard.
fn laid_out(histories: &Histories<'_>, span: Span, observations: &Observations) -> bool {
    let states = histories.with(Role::Coordinator);
    let is = |state: &LeaseState| has_layout(state, observations.schedule.shards);
    let during = states.iter().filter(|state| span.from < state.at && state.at <= span.to);
    state_at(states, span.from).is_some_and(is) && during.into_iter().all(|state| is(state))
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};
    use crate::observations::Exit;
    use crate::schedule::{FaultKind, Slot};

    /// A holds shard 0 and is killed at 40 s, right after a renewal. Another process starts in its Pod at 41 s and takes the shard at `next`.
    fn restarted(next: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("c", 1, 0);
        run.holds("a", 0, 20_000, 40_000);
        run.observations.processes[0].ended = Some((at(40_000), Exit::Killed));
        run.fault(FaultKind::Restart(Slot(0)), 40_000, 41_000);
        run.runs("b", 0, 41_000);
        let before = run.observations.processes[0].identity.clone();
        run.observations.processes[2].ended_before.push(before);
        run.holds("b", 0, next, 100_000);
        run
    }

    #[test]
    fn what_is_taken_back_in_time_passes() {
        assert_eq!(super::super::run_builder::passes(&restarted(47_500)).judged["restarted"], 1);
    }

    #[test]
    fn what_is_left_until_it_expires_is_caught() {
        let sentences = only_of(&restarted(49_000), "restarted", 1);
        assert!(
            sentences[0].contains("b_1 started at 41.000") && sentences[0].contains("op-shard-0"),
            "{sentences:?}"
        );
    }

    #[test]
    fn who_is_hindered_may_be_late() {
        let mut run = restarted(52_000);
        run.fault(FaultKind::Pause(Slot(0)), 43_000, 44_000);
        only_of(&run, "restarted", 0);
    }

    #[test]
    fn what_somebody_changes_meanwhile_is_followed_like_any_other() {
        let mut run = restarted(54_000);
        run.touched("op-shard-0", 42_000);
        only_of(&run, "restarted", 0);
    }

    /// The write of the process before may be on its way for LeaseDuration − RenewDeadline.
    #[test]
    fn what_is_taken_at_once_lands_beside_writes_that_are_under_way() {
        const SERVICE: &str = "/api/v1/namespaces/default/services/m-0?fieldManager=x";
        let of = |next: u64| {
            let mut run = restarted(next);
            run.reconciled("a", 0, "m-0", 39_000, 41_000);
            run.request("a", "PATCH", SERVICE, 44_000, 200);
            run.observations.requests.last_mut().expect("told").sent = at(39_500);
            run.observations.records.sort_by_key(|record| record.boot);
            run
        };
        only_of(&of(47_000), "writes", 0);
        only_of(&of(43_000), "writes", 1);
    }
}
