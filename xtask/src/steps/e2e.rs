//! `cargo xtask e2e`: the drills on a cluster, which the package `e2e` runs.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, root, target_dir};

/// Builds the runner and lets it run.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    // Naming fleet too gives the dependencies the features that the demo and the tests have.
    Cargo::new(["build", "--quiet", "--package", "fleet", "--package", "e2e", "--bin", "e2e"])
        .run()
        .context("the runner of the drills could not be built")?;
    let runner = target_dir()?.join("debug/e2e");
    let status = Command::new(&runner).args(args).current_dir(root()).status();
    let status = status.with_context(|| format!("{} could not be started", runner.display()))?;
    if !status.success() {
        bail!("the drills failed ({status})");
    }
    Ok(())
}
