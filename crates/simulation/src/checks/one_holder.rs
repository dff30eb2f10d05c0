//! No Lease passes on while its holder may still believe in it, judged by the API server's states alone: no replica's
//! word counts here.
//!
//! A holder may believe in itself from a write that names it and is accepted, until RenewDeadline after that write was
//! *sent*, on its own clock. (The answer may be lost: it may find out by a read that the write landed.) It stops when it
//! sends a release or deletion of its own, or ends. Nothing that others write, people included, stops it: it may not know.
//! Coordinator and member Leases are judged like those of shards.

use std::collections::HashMap;

use super::Check;
use super::leases::Histories;
use crate::observations::{LeaseState, Observations, Process};
use crate::time::TrueTime;

/// Judges every state of every Lease.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("one-holder");
    let processes = observations.processes.iter().map(|process| (process.identity.0.as_str(), process));
    let processes: HashMap<&str, &Process> = processes.collect();
    for (name, states) in histories.all() {
        // Until when each former holder may believe in itself. Hardly ever more than one.
        let mut believers: Vec<(&str, TrueTime)> = Vec::new();
        for state in states {
            let writer = state.by.as_ref().map(|by| by.0.as_str());
            believers.retain(|(_, until)| *until > state.at);
            let holder = state.spec.as_ref().and_then(|spec| spec.held_by());
            if let Some(writer) = writer
                && let Some(what) = what(state, writer)
            {
                check.judged += 1;
                for (believer, until) in believers.iter().filter(|(believer, _)| *believer != writer) {
                    check.violated(
                        state.at,
                        format!(
                            "{writer} {what} {name} at {}, while {believer} may believe to hold it until {until}.",
                            state.at
                        ),
                    );
                }
            }
            if let Some(writer) = writer {
                // Whatever it wrote, what counts for it now is this write.
                believers.retain(|(believer, _)| *believer != writer);
            }
            if let Some(holder) = holder
                && writer == Some(holder)
                && let Some(process) = processes.get(holder)
            {
                believers.push((holder, believes_until(process, state, observations)));
            }
        }
    }
    check
}

/// What a replica's write does to whoever else may hold the Lease; nothing, where it only reserves it for nobody.
fn what(state: &LeaseState, writer: &str) -> Option<&'static str> {
    match &state.spec {
        None => Some("deleted"),
        Some(spec) if spec.held_by() == Some(writer) => Some("took or renewed"),
        Some(spec) if spec.held_by().is_some() => Some("wrote another's name into"),
        Some(spec) if spec.holder.is_empty() => Some("released"),
        Some(_) => None,
    }
}

fn believes_until(process: &Process, state: &LeaseState, observations: &Observations) -> TrueTime {
    let validity = observations.schedule.timings.renew_deadline.div_f64(process.rate);
    let until = state.sent + validity;
    process.ended.map_or(until, |(ended, _)| until.min(ended))
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};

    /// A's last renewal is sent at 30 s, and accepted half a second later: it believes until 40 s.
    fn held() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0);
        run.wrote("op-shard-0", "a", 20_000, 20_001, "a", 1).wrote("op-shard-0", "a", 30_000, 30_500, "a", 1);
        run
    }

    #[test]
    fn to_take_it_while_the_holder_may_believe_is_caught() {
        let mut run = held();
        run.wrote("op-shard-0", "b", 39_900, 39_999, "b", 2);
        let sentences = only_of(&run, "one-holder", 1);
        assert!(
            sentences[0].contains("b_1 took or renewed op-shard-0 at 39.999, while a_1 may believe"),
            "{sentences:?}"
        );
    }

    #[test]
    fn to_take_it_afterwards_is_not() {
        let mut run = held();
        run.wrote("op-shard-0", "b", 39_900, 40_001, "b", 2);
        assert!(only_of(&run, "one-holder", 0).is_empty());
    }

    #[test]
    fn a_slow_clock_makes_belief_last_longer() {
        let mut run = held();
        run.observations.processes[0].rate = 0.999;
        run.wrote("op-shard-0", "b", 39_900, 40_001, "b", 2);
        only_of(&run, "one-holder", 1);
    }

    #[test]
    fn a_holder_that_was_blanked_or_deleted_by_hand_may_not_know() {
        for deleted in [true, false] {
            let mut run = held();
            if deleted {
                run.deleted("op-shard-0", None, 31_000).reserved("op-shard-0", "b", 31_100, 2);
            } else {
                run.blanked("op-shard-0", 31_000);
            }
            run.wrote("op-shard-0", "b", 32_000, 32_010, "b", 2);
            only_of(&run, "one-holder", 1);
        }
    }

    #[test]
    fn who_released_or_ended_believes_no_longer() {
        let mut run = held();
        run.wrote("op-shard-0", "a", 31_000, 31_010, "", 1).wrote("op-shard-0", "b", 31_020, 31_030, "b", 2);
        assert!(only_of(&run, "one-holder", 0).is_empty());
        let mut run = held();
        run.killed("a", 31_000).wrote("op-shard-0", "b", 31_020, 31_030, "b", 2);
        assert!(only_of(&run, "one-holder", 0).is_empty());
    }

    #[test]
    fn to_release_or_delete_what_another_holds_is_caught() {
        let mut run = held();
        run.wrote("op-shard-0", "b", 31_000, 31_010, "", 1);
        let sentences = only_of(&run, "one-holder", 1);
        assert!(sentences[0].contains("b_1 released op-shard-0"), "{sentences:?}");
        let mut run = held();
        run.deleted("op-shard-0", Some("b"), 31_000);
        only_of(&run, "one-holder", 1);
    }
}
