//! Unit tests and the examples in the documentation.

use anyhow::Result;

use super::StepContext;
use crate::status::StepStatus;

pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let mut run = cx.run_tests(["--lib", "--bins"])?;
    // The option excludes all others, so the examples are a call of their own.
    let examples = cx.run_tests(["--doc"])?;
    run.ok &= examples.ok;
    run.counts.passed += examples.counts.passed;
    run.counts.failed += examples.counts.failed;
    // An example marked `ignore` is prose; no test was skipped by it.
    cx.judge(run)
}
