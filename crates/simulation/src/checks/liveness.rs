//! Once nothing goes wrong any more, every shard has a valid holder and everything is as asked for, each within its bound
//! ([`Bounds::owned`], [`Bounds::converged`]). Nothing is excused here.

use overlap_checker::records::Shard;
use overlap_checker::{Hold, Timeline};

use super::bounds::Bounds;
use super::leases::{Histories, Role, has_shard, state_at};
use super::{Check, reconciles, short};
use crate::observations::Observations;
use crate::time::TrueTime;

/// How many of the things that are missing are named.
const NAMED: usize = 5;

/// Judges the quiet phase.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    histories: &Histories<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("liveness");
    let quiet = observations.quiet_from;
    let by = quiet + bounds.converged();
    check.judged += 1;
    match observations.converged {
        Some(at) if at > by => check.violated(
            at,
            format!("Everything was as asked for {:?} after the last fault, which is later than the bound of {:?}.", short(at.since(quiet)), short(bounds.converged())),
        ),
        Some(_) => {}
        None => check.violated(observations.ended, not_converged(observations)),
    }
    let holds = timeline.by_shard();
    for shard in 0..u32::from(observations.schedule.shards) {
        let laid_out =
            state_at(histories.with(Role::Coordinator), quiet).is_some_and(|state| has_shard(state, shard));
        let there = laid_out && state_at(histories.with(Role::Shard(shard)), quiet).is_some();
        let bound = bounds.owned(there);
        let by = quiet + bound;
        let holds = holds.get(&Shard(shard)).map_or(&[][..], Vec::as_slice);
        let owned = first_owned(holds, quiet);
        // A run that ends earlier decides nothing about a shard that has no owner yet.
        if owned.is_none() && observations.ended < by {
            continue;
        }
        check.judged += 1;
        if owned.is_none_or(|at| at > by) {
            let when = owned.map_or("at no time".to_owned(), |at| format!("at {at}"));
            check.violated(
                by,
                format!("Shard {shard} had a valid holder {when} after the last fault at {quiet}; the bound of {:?} ended at {by}.", short(bound)),
            );
        }
    }
    check
}

/// When the shard first had a valid holder from `quiet` on.
fn first_owned(holds: &[&Hold], quiet: TrueTime) -> Option<TrueTime> {
    let owned = holds.iter().filter(|hold| reconciles::true_time(hold.valid.to) > quiet);
    owned.map(|hold| reconciles::true_time(hold.acquired).max(quiet)).min()
}

fn not_converged(observations: &Observations) -> String {
    let missing = &observations.missing;
    let more = missing.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!(
        "{:?} after the last fault not all was as asked for: {}{more}.",
        short(observations.ended.since(observations.quiet_from)),
        missing.iter().take(NAMED).map(|what| what.trim_end_matches('.')).collect::<Vec<_>>().join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only, only_of, passes};
    use super::*;

    fn quiet() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).ends(400_000);
        run.observations.quiet_from = at(60_000);
        run.observations.converged = Some(at(90_000));
        run
    }

    #[test]
    fn to_converge_in_time_passes_and_late_or_never_does_not() {
        let mut run = quiet();
        run.holds("a", 0, 20_000, 400_000);
        assert_eq!(passes(&run).converged_after, Some(30.0));
        let bounds = Bounds::of(&run.observations.schedule);
        run.observations.converged = Some(at(60_001) + bounds.converged());
        only(&run, "liveness");
        run.observations.converged = None;
        run.observations.missing = vec!["m-0: not there".to_owned()];
        assert!(only(&run, "liveness")[0].contains("not all was as asked for: m-0: not there."));
    }

    #[test]
    fn a_shard_without_holder_after_the_last_fault_is_caught_whatever_was_wrong_before() {
        let mut run = quiet();
        run.holds("a", 0, 20_000, 58_000).released("a", 0, 59_000);
        let bounds = Bounds::of(&run.observations.schedule);
        let by = at(60_000) + bounds.owned(true);
        run.holds_from("a", 0, by, at(500_000));
        assert!(only_of(&run, "liveness", 0).is_empty());
        let mut run = quiet();
        run.holds("a", 0, 20_000, 58_000).released("a", 0, 59_000);
        run.holds_from("a", 0, at(60_001) + bounds.owned(true), at(500_000));
        only_of(&run, "liveness", 1);
    }

    #[test]
    fn a_lease_that_was_deleted_takes_twice_as_long() {
        let mut run = quiet();
        let bounds = Bounds::of(&run.observations.schedule);
        run.holds("a", 0, 20_000, 58_000).released("a", 0, 59_000).deleted("op-shard-0", None, 59_500);
        run.holds_from("a", 0, at(60_000) + bounds.owned(false), at(500_000));
        assert!(only_of(&run, "liveness", 0).is_empty());
    }
}
