//! The result as JUnit XML, which CI systems read.

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{DrillResult, DrillStatus, Report};

pub(super) fn document(report: &Report) -> Result<String> {
    let mut suite = TestSuite::new("e2e");
    for drill in &report.drills {
        suite.add_test_case(case(drill));
    }
    let mut junit = Junit::new("memcached-operator e2e");
    junit.add_test_suite(suite);
    junit.to_string().context("the result could not be written as XML")
}

fn case(drill: &DrillResult) -> TestCase {
    let status = match &drill.outcome {
        DrillStatus::Passed => TestCaseStatus::success(),
        DrillStatus::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            status
        }
        DrillStatus::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(drill.failures.first().map_or("", String::as_str));
            status.set_description(drill.failures.join("\n"));
            status
        }
    };
    let mut case = TestCase::new(drill.name, status);
    case.set_classname("e2e").set_time(drill.took);
    let notes = std::iter::once(drill.about.to_owned()).chain(drill.notes.iter().cloned());
    case.set_system_out(notes.chain([drill.collected()]).collect::<Vec<_>>().join("\n"));
    case
}
