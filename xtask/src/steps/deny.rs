//! Bans, licences and sources of all dependencies.

use anyhow::Result;

use super::StepContext;
use crate::cargo::{Cargo, is_installed};
use crate::outcome::Outcome;

pub(super) fn run(_: &mut StepContext) -> Result<Outcome> {
    if !is_installed("cargo-deny") {
        let how = "cargo-deny is not installed; `cargo install --locked cargo-deny` installs it";
        return Ok(Outcome::Skipped(how.to_owned()));
    }
    // Not `advisories`: they come from a database that changes by itself, and a build must not fail
    // overnight.
    Cargo::new(["deny", "--all-features", "check", "bans", "licenses", "sources"]).run()?;
    Ok(Outcome::Passed(String::new()))
}
