//! The schedules that every change is tried with.

use std::ops::RangeInclusive;

/// Each kind of fault occurs in them, and most often enough to hit something.
const SEEDS: RangeInclusive<u64> = 1..=40;

/// One schedule in forty has a restore of etcd, which may meet no running reconcile. These have one as well.
const RESTORES: [u64; 4] = [50, 57, 94, 99];

/// The first of them, from which others count.
pub(super) const FIRST: u64 = *SEEDS.start();

pub(super) fn seeds() -> impl Iterator<Item = u64> {
    SEEDS.chain(RESTORES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use simulation::schedule::{FaultKind, Schedule};

    use super::*;

    #[test]
    fn every_kind_of_fault_occurs() {
        let schedules: Vec<_> = seeds().map(Schedule::draw).collect();
        let faults = schedules.iter().flat_map(|schedule| &schedule.faults);
        let occurring: BTreeSet<_> = faults.map(|fault| fault.what.name()).collect();
        assert_eq!(occurring, FaultKind::NAMES.into());
    }

    #[test]
    fn restores_are_restores() {
        for seed in RESTORES {
            let mut faults = Schedule::draw(seed).faults.into_iter();
            assert!(faults.any(|fault| matches!(fault.what, FaultKind::Restore { .. })), "{seed}");
        }
    }
}
