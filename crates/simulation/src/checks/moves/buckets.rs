//! Which buckets moved when the number of shards changed.

use std::collections::BTreeMap;

use overlap_checker::records::Body;

use super::super::Check;
use super::super::leases::{Histories, Role, layout_of, state_at};
use crate::observations::Observations;
use crate::time::TrueTime;

/// Where the resources of a bucket were reconciled last.
#[derive(Clone, Copy)]
struct Seen {
    /// The number of shards of the layout.
    shards: u16,
    shard: u32,
}

/// Judges each bucket that is worked on under one settled layout after another.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>, check: &mut Check) {
    let layouts = histories.with(Role::Coordinator);
    let mut last: BTreeMap<u32, Seen> = BTreeMap::new();
    for record in &observations.records {
        let Body::Begin { bucket: Some(bucket), shard, .. } = &record.body else { continue };
        let at = TrueTime::of(record.boot);
        let layout = state_at(layouts, at).and_then(layout_of).filter(|layout| layout.settled);
        // Between two layouts, both are in force.
        let Some(shards) = layout.and_then(|layout| layout.shards) else { continue };
        let now = Seen { shards, shard: shard.0 };
        let Some(before) = last.insert(*bucket, now).filter(|before| before.shards != shards) else {
            continue;
        };
        check.judged += 1;
        if before.shard != now.shard && !had_to_move(before, now) {
            check.violated(
                at,
                format!(
                    "Bucket {bucket} moved from shard {} to shard {} when the number of shards changed from {} to {}, though both have both shards; \
                     {} reconciled it there at {at}.",
                    before.shard, now.shard, before.shards, now.shards, record.replica
                ),
            );
        }
    }
}

/// To a shard that was not there before, or from one that is there no more.
fn had_to_move(before: Seen, now: Seen) -> bool {
    now.shard >= u32::from(before.shards) || before.shard >= u32::from(now.shards)
}

#[cfg(test)]
mod tests {
    use super::super::super::run_builder::{RunBuilder, at, only_of};

    /// Bucket 255 is worked on in shard `first` of two, and then in `second`, when there are `shards`.
    fn changed(first: u32, shards: u16, second: u32) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.observations.leases[0].annotations.values_mut().for_each(|json| {
            *json = "{\"shards\":2,\"settled\":true}".to_owned();
        });
        run.runs("a", 0, 0).holds("a", first, 20_000, 80_000).reconciled("a", first, "m-0", 25_000, 26_000);
        run.holds("a", second, 50_000, 80_000).reconciled("a", second, "m-0", 55_000, 56_000);
        let mut next = run.observations.leases[0].clone();
        next.at = at(40_000);
        next.annotations.values_mut().for_each(|json| {
            *json = format!("{{\"shards\":{shards},\"settled\":true}}");
        });
        run.observations.leases.push(next);
        run
    }

    #[test]
    fn to_a_new_shard_and_from_one_that_is_left_over() {
        only_of(&changed(1, 3, 2), "moves", 0);
        only_of(&changed(1, 1, 0), "moves", 0);
        only_of(&changed(1, 3, 1), "moves", 0);
    }

    #[test]
    fn between_shards_that_stay_is_caught() {
        let sentences = only_of(&changed(0, 3, 1), "moves", 1);
        assert!(sentences[0].contains("Bucket 255 moved from shard 0 to shard 1"), "{sentences:?}");
    }
}
