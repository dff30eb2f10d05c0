//! Formatting.

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    Cargo::new(["fmt", "--all", "--check"]).run()?;
    Ok(StepStatus::Passed(String::new()))
}
