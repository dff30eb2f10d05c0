//! Bans, licences and sources of all dependencies.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::outcome::Outcome;

pub(super) fn run(_: &mut StepContext) -> Result<Outcome> {
    let installed =
        Command::new("cargo-deny").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        let how = "cargo-deny is not installed; `cargo install --locked cargo-deny` installs it";
        return Ok(Outcome::Skipped(how.to_owned()));
    }
    // Not `advisories`: they come from a database that changes by itself, and a build must not fail
    // overnight.
    Cargo::new(["deny", "--all-features", "check", "bans", "licenses", "sources"]).run()?;
    Ok(Outcome::Passed(String::new()))
}
