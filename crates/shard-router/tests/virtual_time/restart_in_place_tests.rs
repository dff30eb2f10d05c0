//! A process that starts in the place of one that has ended.

use std::time::Duration;

use crate::restart_in_place::{self, Finds};

/// It takes its shards back when no write of the one before it can be on its way any more: LeaseDuration − RenewDeadline after it has gained the lock.
#[tokio::test(start_paused = true)]
async fn a_process_that_starts_in_the_place_of_a_dead_one_takes_its_shards_back() {
    let outcome = restart_in_place::run(Finds::FreeLock).await;
    assert!(outcome.verdict.passed(), "{}", outcome.verdict);
    let timings = lease_core::Timings::standard();
    let bounds = timings.longest_transit()..=timings.longest_transit() + Duration::from_secs(1);
    assert!(
        outcome.taken_back_after.is_some_and(|after| bounds.contains(&after)),
        "{:?}",
        outcome.taken_back_after
    );
    // The dead one is no member any more, although its member Lease would have expired much later.
    assert_eq!(Vec::from_iter(outcome.members), ["op-0_2", "op-1_1"]);
}

/// Its shards have to expire, although those of the dead process need not.
#[tokio::test(start_paused = true)]
async fn a_replica_that_is_cut_off_meanwhile_is_honoured() {
    let outcome = restart_in_place::run(Finds::FreeLockBesideAnotherCutOff).await;
    assert!(outcome.verdict.passed(), "{}", outcome.verdict);
    assert!(outcome.taken_back_after.is_some());
}

/// Two containers mount one directory.
#[tokio::test(start_paused = true)]
async fn a_process_beside_one_that_holds_the_lock_takes_nothing_from_it() {
    let outcome = restart_in_place::run(Finds::HeldLock).await;
    assert!(outcome.verdict.passed(), "{}", outcome.verdict);
    assert_eq!(outcome.taken_back_after, None);
}
