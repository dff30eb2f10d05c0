//! When nothing had changed for long enough: no fault, no start or end of a process, no change of the layout, and nobody who became able or unable to work.

use std::time::Duration;

use super::leases::{Histories, Role, layout_of, state_at};
use super::span::Span;
use crate::observations::{LeaseState, Observations, Process};
use crate::time::TrueTime;

/// The spans in which nothing has changed for `after`, in order.
pub(super) fn spans(observations: &Observations, histories: &Histories<'_>, after: Duration) -> Vec<Span> {
    let faults = observations.faults.iter().map(|fault| (fault.from, fault.to));
    let starts = observations.processes.iter().map(|process| (process.started, process.started));
    let ends = observations.processes.iter().filter_map(|process| process.ended);
    let ends = ends.map(|(at, _)| (at, at));
    let layouts = layout_changes(histories).into_iter().map(|at| (at, at));
    let abilities = ability_changes(histories).into_iter().map(|at| (at, at));
    let disturbed = faults.chain(starts).chain(ends).chain(layouts).chain(abilities);
    let holes = disturbed.map(|(from, to)| Span::new(from, to + after)).collect();
    Span::new(TrueTime::START, observations.ended).without(holes)
}

/// When another layout was committed, or the one there was settled, or lost.
fn layout_changes(histories: &Histories<'_>) -> Vec<TrueTime> {
    let mut changes = Vec::new();
    let mut before = None;
    for state in histories.with(Role::Coordinator) {
        let layout = layout_of(state);
        if layout != before {
            changes.push(state.at);
        }
        before = layout;
    }
    changes
}

/// When a member said that it was unable to work, or no more.
fn ability_changes(histories: &Histories<'_>) -> Vec<TrueTime> {
    let members = histories.all().filter(|(name, _)| Role::of(name) == Role::Member);
    let changes = members.flat_map(|(_, states)| {
        states.windows(2).filter(|pair| is_unable(pair[0]) != is_unable(pair[1])).map(|pair| pair[1].at)
    });
    changes.collect()
}

fn is_unable(member: &LeaseState) -> bool {
    member.annotations.keys().any(|key| key.ends_with("/unable"))
}

/// The processes that are there and eligible for shards at this instant: they run, and do not say on their member Leases that they are unable to work.
pub(super) fn members<'a>(
    observations: &'a Observations,
    histories: &Histories<'_>,
    at: TrueTime,
) -> Vec<&'a Process> {
    let runs =
        |process: &&Process| process.started <= at && process.ended.is_none_or(|(ended, _)| ended > at);
    let says_so = |process: &Process| {
        let members = histories.all().filter(|(name, _)| Role::of(name) == Role::Member);
        members.filter_map(|(_, states)| state_at(states, at)).any(|state| {
            let holder = state.spec.as_ref().and_then(|spec| spec.held_by());
            holder == Some(process.identity.0.as_str()) && is_unable(state)
        })
    };
    observations.processes.iter().filter(runs).filter(|process| !says_so(process)).collect()
}
