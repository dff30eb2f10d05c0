//! Unit tests and the examples in the documentation.

use anyhow::Result;

use super::StepContext;
use crate::cargo::{Output, TestRun};
use crate::status::{Counts, StepStatus};

pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let mut run = cx.run_tests(["--lib", "--bins"], Output::AtOnce)?;
    // The option excludes all others, so the examples are a call of their own. An example marked `ignore` is prose; no test was
    // skipped by it.
    let examples = cx.run_tests(["--doc"], Output::AtOnce)?;
    run.add(TestRun { ignored: Vec::new(), counts: Counts { ignored: 0, ..examples.counts }, ..examples });
    cx.judge(run)
}
