//! The promises of the state machine under thousands of schedules.
//!
//! Each seed is a world of two to five real electors on machines of their own, one API server and a network; see
//! `schedules/world.rs`. A seed that breaks a promise is printed; `LEASE_CORE_SEED=<seed>` replays it alone and prints
//! everything that happens.
//!
//! Out of scope, because no observer can tell them from the real thing: a user who forges a release, or who shortens
//! leaseDurationSeconds where a candidate has not seen what was there before (see `schedules/rewind.rs`). And where the candidates have
//! different timings, nobody deletes the Lease: a candidate that never saw the last holder's record has only its own LeaseDuration to wait for.

#[path = "schedules/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::ops::Range;

use lease_core::TimePrecision;
use world::stats::Stats;

/// How many seeds a plain run tries; `LEASE_CORE_SEEDS=<from>..<to>` tries others.
const SEEDS: Range<u64> = 0..3000;

/// What has to have happened, or the run proves nothing about it.
const EXPECTED: [&str; 50] = [
    "write lost",
    "write held up",
    "answer to a write lost",
    "answer to a write held up",
    "write landed when nobody waited for it any more",
    "409 on a write",
    "429 on a write",
    "403 on a write",
    "500 on a write that was carried out",
    "500 on a write that was not",
    "pause, write in flight",
    "suspend, write in flight",
    "crash, write in flight",
    "hanging watch, write in flight",
    "requests cut off, write in flight",
    "answers cut off, write in flight",
    "spell of refusals, write in flight",
    "wall clock set, write in flight",
    "Lease deleted, write in flight",
    "holder blanked, write in flight",
    "holder overwritten, write in flight",
    "label edited, write in flight",
    "step down, write in flight",
    "told not to contend, write in flight",
    "work wedged, write in flight",
    "shorter LeaseDuration written over a leader that is cut off",
    "Lease taken by a stranger, write in flight",
    "Lease of a leader that is cut off created anew by a stranger",
    "Lease of a leader that is cut off released by a stranger",
    "etcd restored",
    "etcd restored within a term",
    "lock held by another process",
    "Lease taken back from a process that has ended",
    "leader restarted in place",
    "rewind proved",
    "rewind proved by a write",
    "term ended by a restore",
    "process ended, work could not be joined",
    "work asked to finish",
    "work ended",
    "work aborted",
    "work aborted after the drain timeout",
    "work returned early",
    "work ended, a write of it still on its way",
    "annotation refused",
    "term",
    "term lapsed",
    "term ended by another holder",
    "term ended by deletion",
    "term released",
];

#[test]
fn no_schedule_breaks_a_promise() {
    play(TimePrecision::Microseconds);
}

/// As in the records of the legacy locks.
#[test]
fn no_schedule_breaks_a_promise_where_times_are_whole_seconds() {
    play(TimePrecision::Seconds);
}

/// A process that is stopped during a restore, and is shown states of the former history when it goes on.
#[test]
fn states_of_a_former_history_do_not_count_once_a_rewind_is_proved() {
    assert!(world::run(11436, TimePrecision::Microseconds).is_ok());
}

fn play(precision: TimePrecision) {
    if let Ok(seed) = std::env::var(world::SEED) {
        let seed = seed.parse().expect("LEASE_CORE_SEED is a number");
        match world::run(seed, precision) {
            Ok(stats) => println!("seed {seed} keeps every promise, {precision:?}\n{stats}"),
            Err(violation) => panic!("seed {seed}, {precision:?}: {violation}"),
        }
        return;
    }
    let seeds = seeds();
    let mut stats = Stats::default();
    let mut broken = BTreeMap::new();
    for seed in seeds.clone() {
        match world::run(seed, precision) {
            Ok(of_one) => stats.merge(&of_one),
            Err(violation) => {
                let (seeds, _) = broken.entry(violation.rule).or_insert_with(|| (Vec::new(), violation));
                seeds.push(seed);
            }
        }
    }
    println!("{seeds:?} are the seeds, {precision:?}\n{stats}");
    for (seeds, first) in broken.values() {
        println!("{} seeds break a promise; {}={} replays one: {first}", seeds.len(), world::SEED, seeds[0]);
    }
    assert!(broken.is_empty(), "{} promises are broken", broken.len());
    for what in EXPECTED {
        assert!(stats.of(what) > 0, "no schedule met this: {what}");
    }
}

fn seeds() -> Range<u64> {
    let Ok(seeds) = std::env::var("LEASE_CORE_SEEDS") else { return SEEDS };
    let range = seeds.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.expect("LEASE_CORE_SEEDS is two numbers, such as 3000..9000")
}
