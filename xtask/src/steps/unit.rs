//! Unit tests and the examples in the documentation.

use anyhow::Result;

use super::Bench;
use crate::outcome::Outcome;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome> {
    let mut run = bench.run_tests(["--lib", "--bins"])?;
    // The option excludes all others, so the examples are a call of their own.
    let examples = bench.run_tests(["--doc"])?;
    run.ok &= examples.ok;
    run.counts.passed += examples.counts.passed;
    run.counts.failed += examples.counts.failed;
    // An example marked `ignore` is prose; no test was skipped by it.
    bench.judge(run)
}
