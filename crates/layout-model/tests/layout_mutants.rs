//! Each rule of a layout change left out: the model finds a counterexample, and the test prints it.

use layout_model::{
    bounds::Bounds,
    check::{self, Outcome},
    model::{EXCLUSIVE, LayoutModel, NEVER_STUCK},
    state::Left,
};
use parking_lot::Mutex;
use shard_router::mutants::{Mutant, activate};

/// One mutant at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Two replicas; what is in this order: the most shards, changes, crashes or pauses, lost answers, deletions.
fn two_replicas([shards, changes, ends, lost_answers, deletions]: [u8; 5]) -> LayoutModel {
    let left = Left { changes, ends, lost_answers, deletions };
    LayoutModel { symmetric: false, ..Bounds { replicas: 2, shards: shards.into(), left }.model() }
}

/// What does not hold with this fault, and how many steps lead there.
fn found(mutant: Option<Mutant>, model: LayoutModel) -> Option<(&'static str, usize)> {
    let _turn = TURN.lock();
    activate(mutant);
    let outcome = check::exhaustively(model, 1);
    activate(None);
    match outcome {
        Outcome::Holds { .. } => None,
        Outcome::Fails { property, path, steps } => {
            println!("{mutant:?}: it does not hold that {property}\n{path}");
            Some((property, steps))
        }
    }
}

#[test]
fn every_rule_is_needed() {
    let rules = [
        (Mutant::AcknowledgesBeforeTheDrain, EXCLUSIVE, [2, 1, 0, 0, 0]),
        (Mutant::GainedStartsAtOnce, EXCLUSIVE, [2, 1, 0, 0, 0]),
        (Mutant::WorksOnWhatItLost, EXCLUSIVE, [2, 1, 0, 0, 0]),
        (Mutant::AbsentHasGivenAway, EXCLUSIVE, [2, 1, 0, 0, 1]),
        (Mutant::CommitsBeforeSettled, EXCLUSIVE, [3, 2, 0, 0, 0]),
        (Mutant::AbsentCountsAsAcknowledged, EXCLUSIVE, [2, 1, 0, 0, 1]),
        (Mutant::SettledByItsOwnShards, EXCLUSIVE, [2, 1, 0, 0, 0]),
        (Mutant::NewLeaseIsFree, EXCLUSIVE, [1, 0, 0, 0, 1]),
        (Mutant::SurplusIsNotAcquired, NEVER_STUCK, [2, 1, 1, 0, 0]),
        (Mutant::DeletesBeforeSettled, NEVER_STUCK, [2, 1, 0, 0, 0]),
        (Mutant::RecoveredIsSettled, EXCLUSIVE, [2, 0, 0, 0, 1]),
        (Mutant::RecoveredKeeps, EXCLUSIVE, [2, 0, 0, 0, 1]),
    ];
    let wrong = rules.into_iter().filter_map(|(mutant, property, bounds)| {
        let found = found(Some(mutant), two_replicas(bounds));
        (found.map(|(property, _)| property) != Some(property)).then_some((mutant, bounds, found))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// It reads the coordinator Lease once more.
#[test]
fn what_was_won_is_confirmed_for_a_reason() {
    let model = LayoutModel { confirms: false, ..two_replicas([2, 2, 1, 0, 0]) };
    assert_eq!(found(None, model).map(|(property, _)| property), Some(EXCLUSIVE));
}

/// A generation that nobody has acknowledged may be known to somebody.
#[test]
fn a_recovered_generation_outnumbers_all_for_a_reason() {
    let model = LayoutModel { outnumbers_all: false, ..two_replicas([2, 1, 0, 0, 1]) };
    assert_eq!(found(None, model).map(|(property, _)| property), Some(EXCLUSIVE));
}

/// Each of these is one of two lines of defence, and the model has the other one too: a replica reads the coordinator Lease before it starts anything, and a release follows the end of
/// all work.
#[test]
fn some_rules_are_second_lines() {
    for mutant in [Mutant::AcquisitionForgets, Mutant::KeptAcrossGenerations, Mutant::ReleaseAcknowledges] {
        for bounds in [[2, 2, 0, 1, 0], [2, 1, 1, 0, 1]] {
            assert_eq!(found(Some(mutant), two_replicas(bounds)), None, "{mutant:?} within {bounds:?}");
        }
    }
}

#[test]
fn the_rules_hold_within_the_smallest_bounds() {
    for bounds in [[2, 1, 1, 0, 1], [2, 2, 0, 0, 0], [1, 0, 1, 1, 1]] {
        assert_eq!(found(None, two_replicas(bounds)), None, "{bounds:?}");
    }
}
