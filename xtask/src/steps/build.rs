//! Builds all tests, so that the time it takes is not counted as that of a test.

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    Cargo::new(["test", "--workspace", "--all-features", "--no-run"]).run()?;
    Ok(StepStatus::Passed(String::new()))
}
