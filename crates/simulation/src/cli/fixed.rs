//! The schedules that every change is tried with.

use std::ops::RangeInclusive;

/// Each kind of fault occurs in them often enough to hit something.
pub(super) const SEEDS: RangeInclusive<u64> = 1..=40;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use simulation::schedule::{FaultKind, Schedule};

    use super::*;

    #[test]
    fn every_kind_of_fault_occurs() {
        let schedules: Vec<_> = SEEDS.map(Schedule::draw).collect();
        let faults = schedules.iter().flat_map(|schedule| &schedule.faults);
        let occurring: BTreeSet<_> = faults.map(|fault| fault.what.name()).collect();
        assert_eq!(occurring, FaultKind::NAMES.into());
    }
}
