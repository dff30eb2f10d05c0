//! Formatting.

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::outcome::Outcome;

pub(super) fn run(_: &mut StepContext) -> Result<Outcome> {
    Cargo::new(["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed(String::new()))
}
