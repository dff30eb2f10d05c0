//! What many schedules amount to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use simulation::run_report::{FaultTally, RunReport, Violation};

use super::{expected, fixed};

/// From so many schedules on, a checker that judged nothing is taken for blind.
const ENOUGH_TO_JUDGE: usize = 50;

/// The sums, as they are written to a file too.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// Which code was run.
    pub(super) commit: String,
    pub(super) first_seed: u64,
    /// How many were run.
    pub(super) schedules: usize,
    /// How many of them violated something.
    pub(super) failures: usize,
    pub(super) virtual_seconds: f64,
    pub(super) wall_seconds: f64,
    /// How much each checker judged.
    pub(super) judged: BTreeMap<String, u64>,
    pub(super) faults: BTreeMap<String, FaultTally>,
    pub(super) uncovered_shapes: BTreeSet<String>,
    pub(super) longest_converging: Extreme,
    pub(super) longest_unowned: Extreme,
    /// What is wrong with the run as a whole.
    pub(super) shortfalls: Vec<String>,
    pub(super) failed: Vec<Failed>,
}

/// The largest of something, and in which schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Extreme {
    pub(super) value: f64,
    pub(super) seed: u64,
}

/// A schedule that violated something.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) seed: u64,
    pub(super) violations: Vec<Violation>,
}

impl Summary {
    pub(super) fn of(reports: &[RunReport], commit: String, took: Duration) -> Self {
        let mut summary = Self {
            commit,
            first_seed: reports.first().map_or(0, |report| report.seed),
            schedules: reports.len(),
            wall_seconds: took.as_secs_f64(),
            ..Self::default()
        };
        for report in reports {
            summary.add(report);
        }
        summary.shortfalls = summary.find_shortfalls();
        summary
    }

    pub(super) fn passed(&self) -> bool {
        self.failures == 0 && self.shortfalls.is_empty()
    }

    fn add(&mut self, report: &RunReport) {
        self.virtual_seconds += report.virtual_seconds;
        for (checker, count) in &report.judged {
            *self.judged.entry(checker.clone()).or_default() += count;
        }
        for (kind, tally) in &report.faults {
            self.faults.entry(kind.clone()).or_default().add(*tally);
        }
        self.uncovered_shapes.extend(report.uncovered_shapes.iter().cloned());
        self.longest_converging.grow(report.converged_after.unwrap_or_default(), report.seed);
        self.longest_unowned.grow(report.longest_unowned, report.seed);
        if !report.passed() {
            self.failures += 1;
            self.failed.push(Failed { seed: report.seed, violations: report.violations.clone() });
        }
    }

    /// A run that saw nothing proves nothing.
    fn find_shortfalls(&self) -> Vec<String> {
        let mut shortfalls = Vec::new();
        if self.schedules >= ENOUGH_TO_JUDGE {
            let blind = self.judged.iter().filter(|(_, count)| **count == 0);
            shortfalls.extend(blind.map(|(checker, _)| format!("the checker {checker} judged nothing")));
        }
        if self.schedules >= expected::ENOUGH {
            shortfalls
                .extend(expected::shortfalls(|kind| self.faults.get(kind), self.first_seed == fixed::FIRST));
        }
        let shapes = self.uncovered_shapes.iter();
        shortfalls
            .extend(shapes.map(|shape| format!("no conformance case covers the request shape {shape}")));
        shortfalls
    }
}

impl Extreme {
    fn grow(&mut self, value: f64, seed: u64) {
        if value > self.value {
            *self = Self { value, seed };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seed: u64) -> RunReport {
        let tally = FaultTally {
            happened: 1,
            messages: 1,
            reconciles_hit: 1,
            lease_writes_hit: 1,
            watches_hit: 1,
            first_lists_hit: 1,
        };
        RunReport {
            seed,
            judged: BTreeMap::from([("overlap".to_owned(), 3), ("writes".to_owned(), 0)]),
            faults: simulation::schedule::FaultKind::NAMES.map(|kind| (kind.to_owned(), tally)).into(),
            virtual_seconds: 60.0,
            longest_unowned: 0.5,
            ..RunReport::default()
        }
    }

    fn sum(reports: &[RunReport]) -> Summary {
        Summary::of(reports, "commit".into(), Duration::from_secs(9))
    }

    #[test]
    fn a_checker_that_judged_nothing_in_many_schedules_is_a_failure() {
        let few: Vec<_> = (0..49).map(report).collect();
        assert!(sum(&few).passed());
        let many: Vec<_> = (0..50).map(report).collect();
        let summary = sum(&many);
        assert_eq!(summary.shortfalls, ["the checker writes judged nothing"]);
        assert!(!summary.passed());
        assert_eq!((summary.judged["overlap"], summary.faults["pause"].messages), (150, 50));
    }

    #[test]
    fn extremes_name_their_schedule() {
        let worst = RunReport { longest_unowned: 0.9, converged_after: Some(7.0), ..report(5) };
        let summary = sum(&[report(4), worst, report(6)]);
        assert_eq!(summary.longest_unowned, Extreme { value: 0.9, seed: 5 });
        assert_eq!(summary.longest_converging, Extreme { value: 7.0, seed: 5 });
    }

    #[test]
    fn a_request_of_an_unknown_shape_and_a_violation_are_failures() {
        let strange = RunReport { uncovered_shapes: vec!["GET /strange".into()], ..report(1) };
        assert!(!sum(&[strange]).passed());
        let violation = Violation { checker: "overlap".into(), sentence: "Two at once.".into(), at: None };
        let summary = sum(&[report(1), RunReport { violations: vec![violation], ..report(2) }]);
        assert!(!summary.passed());
        assert_eq!((summary.failures, summary.failed[0].seed), (1, 2));
    }
}
