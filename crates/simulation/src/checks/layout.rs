//! Nobody works on a bucket under a layout that is not the committed one.
//!
//! A replica reads the coordinator Lease between its acquisition of a shard and its first reconcile. So at some instant in between
//! a layout was committed there that gives the bucket to the shard. What is committed later does not matter here: then shard Leases tell.
//! Buckets that a hold gains later have a token of their own, and the write that gave it is where the interval begins.

use overlap_checker::Timeline;
use serde_json::Value;
use shard_router::{Bucket, Layout, ShardId};

use super::Check;
use super::barrier::{First, first_begins};
use super::leases::{Histories, Role, is_unsharded};
use super::reconciles::true_time;
use crate::observations::{LeaseState, Observations};

/// Judges the first reconcile of each hold.
pub(super) fn check(observations: &Observations, timeline: &Timeline, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("layout");
    let states = histories.with(Role::Coordinator);
    for First { hold, begun, bucket } in first_begins(observations, timeline) {
        let Some(bucket) = bucket else { continue };
        check.judged += 1;
        let sent = true_time(hold.valid.from);
        let (before, until) = (
            states.partition_point(|state| state.at <= sent),
            states.partition_point(|state| state.at <= begun),
        );
        // The state at the sending, and all that followed.
        let seen = &states[before.saturating_sub(1)..until];
        if !seen.iter().any(|state| gives(state, bucket, hold.shard.0)) {
            check.violated(
                begun,
                format!(
                    "{} acquired shard {} at {} and began its first reconcile at {begun}, of bucket {bucket}, and at no \
                     instant in between a layout was committed that gives it to this shard.",
                    hold.replica,
                    hold.shard,
                    true_time(hold.acquired)
                ),
            );
        }
    }
    check
}

/// Whether the coordinator Lease carries a layout in this state that gives the bucket to the shard.
fn gives(state: &LeaseState, bucket: u32, shard: u32) -> bool {
    if state.spec.is_none() || is_unsharded(state) {
        return false;
    }
    let committed = state.annotations.iter().find(|(key, _)| key.ends_with("/layout"));
    let Some(layout) = committed.and_then(|(_, json)| serde_json::from_str::<Value>(json).ok()) else {
        return false;
    };
    // Stories leave the number out.
    let Some(count) = layout["shards"].as_u64() else { return true };
    let count = u16::try_from(count).ok().and_then(|count| count.try_into().ok());
    let (bucket, shard) = (u8::try_from(bucket).map(Bucket), u16::try_from(shard).map(ShardId));
    match (count, bucket, shard) {
        (Some(count), Ok(bucket), Ok(shard)) => Layout::first(count, None).shard_of(bucket) == shard,
        _ => false,
    }
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
    fn who_has_the_bucket_by_the_committed_layout_may_work() {
        let mut run = worked();
        commit(&mut run, 1);
        only_of(&run, "layout", 0);
    }

    #[test]
    fn who_has_it_by_another_is_caught() {
        let mut run = worked();
        commit(&mut run, 8);
        let sentences = only_of(&run, "layout", 1);
        assert!(sentences[0].contains("a_1 acquired shard 0"), "{sentences:?}");
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
