//! Every shard has an owner again within the bound.

use std::collections::BTreeSet;
use std::time::Duration;

use super::clock::{Interval, Moment, short};
use super::timeline::{Hold, Timeline};
use super::verdict::{Check, Violation, capitalised};
use super::{LeaseLifetime, Observations, Rules};
use crate::records::Shard;

const NAME: &str = "unowned";
const OBSERVED: &str = "the end of the observation";
const DELETED: &str = "the deletion of its Lease";

/// Measures, for each hold that ended, the time to the next one. It runs from the fault where the caller took
/// the holder out, and from the end of validity otherwise.
pub(super) fn check(timeline: &Timeline, observations: &Observations, rules: &Rules) -> Check {
    let Some(bound) = rules.unowned_bound else {
        return Check::not_run(NAME, "gaps", "no bound was given");
    };
    let stamp = |stamp: &Option<_>| stamp.as_ref().and_then(|stamp| timeline.clock.of_stamp(stamp));
    let until = stamp(&observations.until).or(timeline.last()).unwrap_or(Moment(i64::MAX));
    let mut check = Check::new(NAME, "gaps");
    let holds = timeline.by_shard();
    let shards: BTreeSet<Shard> = holds.keys().chain(&observations.shards).copied().collect();
    for shard in shards {
        let holds = holds.get(&shard).map_or(&[][..], Vec::as_slice);
        let always = [LeaseLifetime::default()];
        let lifetimes = observations.lifetimes.get(&shard).map_or(&always[..], Vec::as_slice);
        for lifetime in lifetimes {
            let end = lifetime.deleted.map_or(until, |deleted| deleted.min(until));
            let begin = lifetime.created;
            let within =
                |hold: &&&Hold| begin.is_none_or(|begin| begin <= hold.acquired) && hold.acquired < end;
            let holds: Vec<&Hold> = holds.iter().filter(within).copied().collect();
            let mut judge = |from: Moment, next: Option<&&Hold>, after: Option<&Hold>| {
                // A shard that is still unowned when the observation ends counts with what was seen of its gap.
                let to = next.map_or(end, |next| next.acquired).min(end);
                let gap = Interval::new(from, to);
                check.examined += 1;
                if gap.to.since(gap.from) > bound {
                    let ending =
                        lifetime.deleted.filter(|deleted| *deleted <= until).map_or(OBSERVED, |_| DELETED);
                    check.violations.push(violation(
                        timeline,
                        shard,
                        gap,
                        after,
                        next.copied(),
                        bound,
                        ending,
                    ));
                } else if next.is_none() && from < end && end == until {
                    check.undecided += 1;
                }
            };
            if let Some(from) = begin.or(stamp(&observations.since)) {
                judge(from, holds.first(), None);
            }
            for (index, hold) in holds.iter().enumerate() {
                let from = lost_at(timeline, observations, hold);
                if from < end {
                    judge(from, holds.get(index + 1), Some(hold));
                }
            }
        }
    }
    check
}

/// When the shard lost this owner.
fn lost_at(timeline: &Timeline, observations: &Observations, hold: &Hold) -> Moment {
    let of_holder = observations.faults.iter().filter(|fault| fault.replica == hold.replica);
    let while_held = of_holder
        .filter_map(|fault| timeline.clock.of_stamp(&fault.at))
        .filter(|at| (hold.valid.from..hold.valid.to).contains(at));
    while_held.min().unwrap_or(hold.valid.to)
}

fn violation(
    timeline: &Timeline,
    shard: Shard,
    gap: Interval,
    after: Option<&Hold>,
    next: Option<&Hold>,
    bound: Duration,
    ending: &str,
) -> Violation {
    let long = short(gap.to.since(gap.from));
    let name =
        |hold: Option<&Hold>, none: &str| hold.map_or(none.to_owned(), |hold| hold.replica.to_string());
    Violation {
        sentence: format!(
            "{} had no owner for {long:?}, {:?} longer than the bound of {bound:?}: {} between {} and {}.",
            capitalised(&shard.described()),
            long.saturating_sub(bound),
            timeline.clock.show_interval(gap),
            name(after, "the start"),
            name(next, ending),
        ),
        cr: None,
        shard: Some(shard),
        replicas: after.into_iter().chain(next).map(|hold| hold.replica.clone()).collect(),
        first: after.map(|hold| hold.valid),
        second: next.map(|hold| hold.valid),
        by: long.saturating_sub(bound),
    }
}
