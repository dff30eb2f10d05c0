//! The documentation builds, and every link in it leads somewhere.

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    Cargo::new(["doc", "--workspace", "--all-features", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(StepStatus::Passed(String::new()))
}
