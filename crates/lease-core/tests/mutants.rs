//! Every rule of the protocol, broken on purpose: some schedule has to find it out.
//!
//! A mutant is a switch for the whole process, so this is a test binary of its own with one test, which takes the
//! mutants one after another and prints which schedule found which.

#[path = "schedules/world.rs"]
mod world;

use lease_core::TimePrecision;
use lease_core::mutants::{Mutant, activate};
use world::stats::Stats;

/// The schedules tried for each mutant; all of them keep every promise when no mutant is active.
const SEEDS: u64 = 3000;

/// A sample of them is played without a mutant first. `schedules.rs` plays all.
const SAMPLE: u64 = 200;

/// These are of the clients that terms hand out, which no schedule has: the simulation and the tests of shard-router find them.
const OF_CLIENTS: [Mutant; 2] = [Mutant::OpenGate, Mutant::NoRequestLimit];

#[test]
fn every_mutant_is_found_out() {
    activate(None);
    let mut stats = Stats::default();
    for seed in 0..SAMPLE {
        match world::run(seed, TimePrecision::Microseconds) {
            Ok(of_one) => stats.merge(&of_one),
            Err(violation) => panic!("without any mutant, seed {seed} breaks a promise: {violation}"),
        }
    }
    assert!(stats.of("term") > SAMPLE, "nobody ever led");
    let mut survivors = Vec::new();
    for (mutant, name) in Mutant::ALL.into_iter().filter(|(mutant, _)| !OF_CLIENTS.contains(mutant)) {
        // Where the record keeps microseconds, nothing is finer.
        let is_of_seconds = mutant == Mutant::TimeFinerThanRecord;
        let precision = if is_of_seconds { TimePrecision::Seconds } else { TimePrecision::Microseconds };
        activate(Some(mutant));
        let found =
            (0..SEEDS).find_map(|seed| world::run(seed, precision).err().map(|violation| (seed, violation)));
        activate(None);
        if let Some((seed, violation)) = found {
            println!("{name:<25} seed {seed:>4}: {}: {}", violation.rule, violation.what);
        } else {
            println!("{name:<25} survives {SEEDS} seeds");
            survivors.push(name);
        }
    }
    assert!(survivors.is_empty(), "no schedule finds out {survivors:?}");
}
