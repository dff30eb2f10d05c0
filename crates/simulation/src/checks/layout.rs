//! Nobody works on a shard under a layout that is not the committed one.
//!
//! A replica reads the coordinator Lease between its acquisition of a shard and its first reconcile. So at some instant in between
//! the layout that it is set to was committed there. What is committed later does not matter here: then shard Leases tell.

use std::collections::BTreeMap;

use overlap_checker::Timeline;

use super::leases::{Histories, Role, has_layout};
use super::reconciles::true_time;
use super::{Check, barrier};
use crate::observations::Observations;

/// Judges the first reconcile of each hold.
pub(super) fn check(observations: &Observations, timeline: &Timeline, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("layout");
    let states = histories.with(Role::Coordinator);
    let shards: BTreeMap<_, _> =
        observations.processes.iter().map(|process| (&process.identity, process.shards)).collect();
    for (hold, begun) in barrier::first_begins(timeline) {
        let Some(shards) = shards.get(&hold.replica) else { continue };
        check.judged += 1;
        let sent = true_time(hold.valid.from);
        let (before, until) = (
            states.partition_point(|state| state.at <= sent),
            states.partition_point(|state| state.at <= begun),
        );
        // The state at the sending, and all that followed.
        let seen = &states[before.saturating_sub(1)..until];
        if !seen.iter().any(|state| has_layout(state, *shards)) {
            check.violated(
                begun,
                format!(
                    "{} is set to {shards} shards, acquired shard {} at {} and began its first reconcile at {begun}, and at no \
                     instant in between was that layout committed.",
                    hold.replica,
                    hold.shard,
                    true_time(hold.acquired)
                ),
            );
        }
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};

    /// A acquires the only shard at 20 s and reconciles at 25 s.
    fn worked() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 20_000, 80_000).reconciled("a", 0, "m-0", 25_000, 26_000);
        run
    }

    fn commit(run: &mut RunBuilder, shards: u16) {
        for state in &mut run.observations.leases {
            for json in state.annotations.values_mut() {
                *json = format!("{{\"shards\":{shards}}}");
            }
        }
    }

    #[test]
    fn who_is_set_to_the_committed_layout_may_work() {
        let mut run = worked();
        commit(&mut run, 1);
        only_of(&run, "layout", 0);
    }

    #[test]
    fn who_is_set_to_another_is_caught() {
        let mut run = worked();
        commit(&mut run, 8);
        let sentences = only_of(&run, "layout", 1);
        assert!(sentences[0].contains("a_1 is set to 1 shards, acquired shard 0"), "{sentences:?}");
    }

    #[test]
    fn a_layout_that_was_committed_in_between_was_read_perhaps() {
        let mut run = worked();
        commit(&mut run, 8);
        let mut right = run.observations.leases[0].clone();
        right.at = super::super::run_builder::at(22_000);
        right.version += 100;
        right.annotations.values_mut().for_each(|json| *json = "{\"shards\":1}".to_owned());
        run.observations.leases.push(right);
        only_of(&run, "layout", 0);
    }
}
