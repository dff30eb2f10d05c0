//! Random histories, judged by the checker and by a brute-force oracle that knows nothing of sweeps and
//! indices.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::run_builder::RunBuilder;

const END: u64 = 200;

/// A hold with the reconciles under it. Times are offsets; the story that is told follows the rules of the
/// record, not those of the design: holds overlap, reconciles outlive them.
#[derive(Debug, Clone)]
struct Term {
    replica: usize,
    shard: u32,
    from: u64,
    valid_for: u64,
    renewed_by: u64,
    ended_after: Option<u64>,
    reconciles: Vec<Ran>,
}

#[derive(Debug, Clone)]
struct Ran {
    cr: usize,
    after: u64,
    end: End,
    long: u64,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Ok,
    Aborted,
    Killed,
}

const REPLICAS: [&str; 3] = ["a", "b", "c"];
const CRS: [&str; 3] = ["m", "n", "o"];

proptest! {
    #[test]
    fn checker_and_oracle_agree(history in prop::collection::vec(held(), 1..12)) {
        let mut run = RunBuilder::new();
        for (index, held) in history.iter().enumerate() {
            record(&mut run, held, index as u64 + 1);
        }
        let verdict = run.judge();
        let count = |name| verdict.of(name).len();
        prop_assert_eq!(count("overlap"), overlaps(&history), "{}", verdict);
        prop_assert_eq!(count("holds"), shared_holds(&history), "{}", verdict);
        prop_assert_eq!(count("begun-in-hold"), begun_outside(&history), "{}", verdict);
    }
}

fn held() -> impl Strategy<Value = Term> {
    let ran = (
        0..CRS.len(),
        0..80_u64,
        prop_oneof![Just(End::Ok), Just(End::Aborted), Just(End::Killed)],
        0..60_u64,
    )
        .prop_map(|(cr, after, end, long)| Ran { cr, after, end, long });
    let reconciles = prop::collection::vec(ran, 0..4);
    (0..REPLICAS.len(), 0..2_u32, 0..END, 1..60_u64, 0..40_u64, prop::option::of(0..90_u64), reconciles)
        .prop_map(|(replica, shard, from, valid_for, renewed_by, ended_after, reconciles)| Term {
            replica,
            shard,
            from,
            valid_for,
            renewed_by,
            ended_after,
            reconciles,
        })
}

fn record(run: &mut RunBuilder, held: &Term, token: u64) {
    let replica = REPLICAS[held.replica];
    let until = held.from + held.valid_for;
    run.hold(replica, held.shard, token, held.from, until);
    run.renew(replica, held.shard, token, held.from, until + held.renewed_by);
    for ran in &held.reconciles {
        let begun = run.begin(replica, CRS[ran.cr], held.shard, token, held.from + ran.after);
        let end = held.from + ran.after + ran.long;
        match ran.end {
            End::Ok => run.end(&begun, end),
            End::Aborted => run.abort(&begun, end),
            End::Killed => {}
        }
    }
    if let Some(after) = held.ended_after {
        run.end_hold(replica, held.shard, token, held.from + after);
    }
}

/// The milliseconds during which a hold is valid, one by one.
fn valid(held: &Term) -> BTreeSet<u64> {
    let until = held.from + held.valid_for + held.renewed_by;
    let until = held.ended_after.map_or(until, |after| until.min(held.from + after));
    (held.from..until).collect()
}

/// The milliseconds during which a reconcile runs, one by one. (Its begin may lie past the validity: then it
/// never runs.)
fn running(held: &Term, ran: &Ran) -> BTreeSet<u64> {
    let from = held.from + ran.after;
    let until = match ran.end {
        End::Ok | End::Aborted => from + ran.long,
        End::Killed => u64::MAX,
    };
    valid(held).into_iter().filter(|at| (from..until).contains(at)).collect()
}

fn overlaps(history: &[Term]) -> usize {
    let runs: Vec<_> = history
        .iter()
        .flat_map(|held| held.reconciles.iter().map(move |ran| (ran.cr, running(held, ran))))
        .collect();
    pairs(&runs).filter(|(a, b)| a.0 == b.0 && !a.1.is_disjoint(&b.1)).count()
}

fn shared_holds(history: &[Term]) -> usize {
    pairs(history)
        .filter(|(a, b)| a.shard == b.shard && a.replica != b.replica && !valid(a).is_disjoint(&valid(b)))
        .count()
}

fn begun_outside(history: &[Term]) -> usize {
    let outside = |held: &Term| {
        let valid = valid(held);
        // The end is told last, so what begins in its very instant began before it.
        let before_the_end =
            |ran: &Ran| held.ended_after == Some(ran.after) && ran.after < held.valid_for + held.renewed_by;
        let inside = |ran: &Ran| valid.contains(&(held.from + ran.after)) || before_the_end(ran);
        held.reconciles.iter().filter(|ran| !inside(ran)).count()
    };
    history.iter().map(outside).sum()
}

fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    all.iter().enumerate().flat_map(move |(index, a)| all[index + 1..].iter().map(move |b| (a, b)))
}
