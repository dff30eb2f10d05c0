//! No shard has two valid holders.

use super::clock::short;
use super::timeline::{Hold, Timeline};
use super::verdict::{Check, Violation, capitalised};

pub(super) const NAME: &str = "holds";

/// Compares the validity of all holds of one shard.
pub(super) fn check(timeline: &Timeline) -> Check {
    let mut check = Check::new(NAME, "holds");
    check.examined = timeline.holds.len() as u64;
    for holds in timeline.by_shard().values() {
        let mut holds = holds.clone();
        holds.sort_by_key(|hold| hold.valid.from);
        let mut valid: Vec<&Hold> = Vec::new();
        for hold in holds {
            valid.retain(|earlier| earlier.valid.to > hold.valid.from);
            let overlapping = valid.iter().filter(|earlier| earlier.replica != hold.replica);
            check.violations.extend(overlapping.filter_map(|earlier| violation(timeline, earlier, hold)));
            valid.push(hold);
        }
    }
    check
}

fn violation(timeline: &Timeline, first: &Hold, second: &Hold) -> Option<Violation> {
    let by = first.valid.overlap(&second.valid)?;
    Some(Violation {
        sentence: format!(
            "{} had two valid holders for {:?}: {} and {}.",
            capitalised(&second.shard.described()),
            short(by),
            first.describe(&timeline.clock),
            second.describe(&timeline.clock)
        ),
        cr: None,
        shard: Some(second.shard),
        replicas: vec![first.replica.clone(), second.replica.clone()],
        first: Some(first.valid),
        second: Some(second.valid),
        by,
    })
}
