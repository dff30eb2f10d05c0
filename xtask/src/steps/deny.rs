//! Bans, licences and sources of all dependencies.

use anyhow::Result;

use super::StepContext;
use crate::cargo::{Cargo, is_installed};
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    if !is_installed("cargo-deny") {
        let how = "cargo-deny is not installed; `cargo install --locked cargo-deny` installs it";
        return Ok(StepStatus::Skipped(how.to_owned()));
    }
    // Not `advisories`: they come from a database that changes by itself, and a build must not fail
    // overnight.
    Cargo::new(["deny", "--all-features", "check", "bans", "licenses", "sources"]).run()?;
    Ok(StepStatus::Passed(String::new()))
}
