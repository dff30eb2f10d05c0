use futures::executor::block_on;

use super::*;
use crate::schedule::{Fault, FaultKind, Slot};

const EFFORT: Effort = Effort { runs: 2_000, at_once: 4 };

fn shrunk(schedule: Schedule, effort: Effort, fails: impl Fn(&Schedule) -> bool) -> (Schedule, usize) {
    let mut runs = 0;
    let shrunk = block_on(shrink(schedule, effort, async |candidates: &[Schedule]| {
        runs += candidates.len();
        candidates.iter().position(&fails)
    }));
    (shrunk, runs)
}

fn large() -> Schedule {
    large_and(|_| true)
}

fn large_and(fails: impl Fn(&Schedule) -> bool) -> Schedule {
    let large = |schedule: &Schedule| {
        schedule.replicas.len() > 4 && schedule.shards > 8 && schedule.faults.len() > 20
    };
    (0..10_000).map(Schedule::draw).find(|schedule| large(schedule) && fails(schedule)).unwrap()
}

/// Fails if a pause comes before a crash on one replica: one pair of faults is enough.
fn pause_then_crash(schedule: &Schedule) -> bool {
    let pauses = schedule.faults.iter().filter(|fault| matches!(fault.what, FaultKind::Pause(_)));
    pauses.into_iter().any(|pause| {
        schedule.faults.iter().any(|fault| {
            matches!(fault.what, FaultKind::Crash(_))
                && fault.what.slot() == pause.what.slot()
                && fault.at > pause.at
        })
    })
}

#[test]
fn what_does_not_matter_is_left_out() {
    let schedule = large_and(pause_then_crash);
    let (small, runs) = shrunk(schedule, EFFORT, pause_then_crash);
    assert!(pause_then_crash(&small));
    assert_eq!((small.faults.len(), small.edits.len()), (2, 0));
    assert_eq!((small.replicas.len(), small.shards, small.resources), (1, 1, 1));
    assert!(small.replicas[0].drift_ppm == 0 && small.replicas[0].wall_offset_ms == 0);
    assert!(runs < EFFORT.runs, "{runs} runs");
}

#[test]
fn what_matters_stays() {
    let needs = |schedule: &Schedule| {
        schedule.shards >= 3 && schedule.replicas.len() >= 3 && schedule.edits.len() >= 5
    };
    let (small, _) = shrunk(large(), EFFORT, needs);
    assert_eq!((small.replicas.len(), small.edits.len(), small.faults.len()), (3, 5, 0));
    assert!((3..6).contains(&small.shards), "{} shards", small.shards);
}

#[test]
fn no_more_runs_than_allowed() {
    for runs in [0, 1, 7, 30] {
        let (_, took) = shrunk(large(), Effort { runs, at_once: 4 }, pause_then_crash);
        assert!(took <= runs, "{took} runs of {runs}");
    }
}

#[test]
fn faults_of_a_replica_go_with_it_and_the_others_keep_theirs() {
    let schedule = large();
    let last = schedule.replicas.len() - 1;
    let of = |schedule: &Schedule, slot| {
        schedule.faults.iter().filter(|fault| fault.what.slot() == Some(Slot(slot))).count()
    };
    let without = smaller::without_slot(&schedule, 0).unwrap();
    assert_eq!(without.replicas[..], schedule.replicas[1..]);
    for slot in 0..last {
        assert_eq!(of(&without, slot), of(&schedule, slot + 1));
    }
    assert_eq!(of(&without, last), 0);
}

#[test]
fn half_the_time_leaves_nothing_beyond_it() {
    let schedule = large();
    for step in STEPS {
        let Some(smaller) = step(&schedule) else { continue };
        let end = |fault: &Fault| (fault.at + fault.lasts).since_start();
        assert!(smaller.faults.iter().all(|fault| end(fault) <= smaller.busy_for));
        assert!(smaller.replicas.iter().all(|replica| replica.starts.since_start() <= smaller.busy_for));
    }
}
