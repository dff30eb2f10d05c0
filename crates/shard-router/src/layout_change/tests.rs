use super::{
    acknowledge,
    buckets::{acquisition_is_token, may_continue, may_start},
    commit, leases, recovery, *,
};
use crate::routing::{
    bucket::{Bucket, ShardCount},
    table::shard_among,
};

fn count(shards: u16) -> ShardCount {
    shards.try_into().unwrap()
}

fn settled(number: u64, shards: u16) -> Generation {
    Generation { number, shards: count(shards), previous: None, found: None, settled: true }
}

/// From one number of shards to another, as generation 2.
fn change(from: u16, to: u16) -> Generation {
    commit::next(&settled(1, from), count(to))
}

fn all(shards: u16, acknowledged: u64) -> ShardLeases {
    (0..shards).map(|shard| (ShardId(shard), acknowledged)).collect()
}

/// A bucket that goes from one shard to another.
fn moved(change: &Generation) -> (Bucket, ShardId, ShardId) {
    let moves = |bucket: Bucket| {
        let (from, to) = (change.before(bucket)?, shard_among(change.shards, bucket));
        (from != to).then_some((bucket, from, to))
    };
    Bucket::all().find_map(moves).expect("some bucket moves")
}

#[test]
fn the_next_generation_waits_for_the_last_one_and_for_its_leases() {
    let first = settled(1, 4);
    assert!(!commit::may_commit(&first, count(8), &all(4, 1)), "the Leases of four shards are missing");
    assert!(commit::may_commit(&first, count(8), &all(8, 1)));
    assert!(!commit::may_commit(&first, count(8), &all(9, 1)), "one Lease belongs to neither");
    assert!(!commit::may_commit(&first, count(4), &all(4, 1)), "nothing changes");
    assert!(commit::may_commit(&first, count(2), &all(4, 1)));
    assert!(!commit::may_commit(&change(4, 8), count(2), &all(8, 2)), "the last change is not settled");
}

#[test]
fn a_generation_is_settled_by_the_shards_of_both_layouts() {
    let shrink = change(4, 2);
    assert!(!commit::is_settled(&shrink, &all(2, 2)), "a Lease that is absent has acknowledged nothing");
    let mut leases = all(4, 2);
    assert!(commit::is_settled(&shrink, &leases));
    leases.insert(ShardId(3), 1);
    assert!(!commit::is_settled(&shrink, &leases));
}

#[test]
fn a_gained_bucket_starts_when_the_shard_that_had_it_has_given_it_away() {
    let growth = change(2, 3);
    let (bucket, from, to) = moved(&growth);
    let mut leases = all(3, 2);
    leases.insert(from, 1);
    assert!(may_continue(from, bucket, 1, &settled(1, 2)) && !may_continue(from, bucket, 1, &growth));
    assert!(!may_start(to, bucket, 2, &growth, &leases));
    leases.insert(from, 2);
    assert!(may_start(to, bucket, 2, &growth, &leases));
    assert!(!may_start(to, bucket, 1, &growth, &leases), "the shard has not acknowledged itself");
    leases.remove(&from);
    assert!(!may_start(to, bucket, 2, &growth, &leases));
    assert!(may_start(to, bucket, 2, &Generation { settled: true, ..growth }, &leases));
}

#[test]
fn kept_buckets_run_on_and_nothing_does_across_a_generation_that_was_missed() {
    let growth = change(2, 3);
    let kept = Bucket::all()
        .find(|bucket| growth.before(*bucket) == Some(ShardId(0)) && growth.gives(*bucket, ShardId(0)));
    let kept = kept.expect("the shard keeps a bucket");
    assert!(
        may_continue(ShardId(0), kept, 1, &growth) && may_start(ShardId(0), kept, 1, &growth, &all(2, 1))
    );
    let later = Generation { number: 3, ..growth };
    assert!(!may_continue(ShardId(0), kept, 1, &later), "generation 2 may have given it to another shard");
    let unknown = Generation { previous: None, ..growth };
    assert!(!may_continue(ShardId(0), kept, 1, &unknown));
}

#[test]
fn acknowledgements_only_grow() {
    let growth = change(2, 3);
    assert_eq!(leases::acknowledged_by_acquisition(1, &growth), 2);
    assert_eq!(leases::acknowledged_by_acquisition(5, &growth), 5);
    assert_eq!(acknowledge::due(1, &growth, true), None);
    assert_eq!(acknowledge::due(1, &growth, false), Some(2));
    assert_eq!(acknowledge::due(2, &growth, false), None);
    assert_eq!(acknowledge::by_release(1, &growth), 1);
}

#[test]
fn surplus_leases_are_acquired_until_the_change_is_settled_and_deleted_afterwards() {
    let shrink = change(4, 2);
    let done = Generation { settled: true, ..shrink };
    assert!(leases::may_acquire(ShardId(3), &shrink) && !leases::may_delete(ShardId(3), &shrink));
    assert!(!leases::may_acquire(ShardId(3), &done) && leases::may_delete(ShardId(3), &done));
    assert!(!leases::may_delete(ShardId(1), &done));
    assert_eq!(leases::needed(&settled(1, 4), count(8)).count(), 8);
    assert_eq!(leases::needed(&shrink, count(8)).count(), 4, "one change after the other");
}

#[test]
fn what_is_recovered_is_larger_and_nothing_starts_before_it_is_settled() {
    let leases: ShardLeases = [(ShardId(0), 3), (ShardId(5), 4)].into();
    let recovered = recovery::recovered(count(2), &leases, 2);
    assert_eq!((recovered.number, recovered.width(), recovered.settled), (5, 6, false));
    let acknowledged = all(6, 5);
    for bucket in Bucket::all() {
        assert!(!may_start(ShardId(0), bucket, 5, &recovered, &acknowledged));
    }
    assert!(commit::is_settled(&recovered, &acknowledged));
    let first = recovery::recovered(count(2), &ShardLeases::new(), 0);
    assert_eq!((first.number, first.settled), (1, true));
    assert!(
        recovery::is_needed(Some(&settled(1, 2)), &all(2, 2))
            && !recovery::is_needed(Some(&settled(1, 2)), &all(2, 1))
    );
}

#[test]
fn a_gained_bucket_has_a_later_token_than_the_acquisition() {
    let growth = change(2, 3);
    let (bucket, _, to) = moved(&growth);
    assert!(!acquisition_is_token(to, bucket, &growth, 2, false));
    let done = Generation { settled: true, ..growth };
    assert!(acquisition_is_token(to, bucket, &done, 2, true));
    assert!(
        !acquisition_is_token(to, bucket, &done, 2, false),
        "it was not known to be settled when the write was sent"
    );
    assert!(!acquisition_is_token(to, bucket, &growth, 1, true));
    let kept = Bucket::all()
        .find(|bucket| growth.before(*bucket) == Some(ShardId(0)) && growth.gives(*bucket, ShardId(0)));
    let kept = kept.expect("the shard keeps a bucket");
    assert!(
        acquisition_is_token(ShardId(0), kept, &growth, 2, false)
            && acquisition_is_token(ShardId(0), kept, &growth, 1, true)
    );
    assert!(
        !acquisition_is_token(ShardId(0), kept, &growth, 1, false),
        "it may have been gained in the generation before"
    );
}
