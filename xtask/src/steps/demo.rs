//! `cargo xtask demo`, which the package `fleet` runs.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, Features, build_operator, root, target_dir};

/// Builds the operator and the demo and lets it run.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    Cargo::new(["build", "--quiet", "--package", "fleet", "--bin", "demo"])
        .run()
        .context("the demo could not be built")?;
    let demo = target_dir()?.join("debug/demo");
    // Before anything else is built, for those who only ask for help or mistyped.
    let asks = |flag: &str| args.iter().any(|arg| arg.to_string_lossy().starts_with(flag));
    let mut command = Command::new(&demo);
    if !asks("--help") && !asks("-h") && !asks("--version") {
        println!("Building the operator …");
        let features = if asks("--mutant") { Features::All } else { Features::Default };
        command.arg("--operator").arg(build_operator(features)?);
    }
    let status = command.args(args).current_dir(root()).status();
    let status = status.with_context(|| format!("{} could not be started", demo.display()))?;
    if !status.success() {
        bail!("the demo failed ({status})");
    }
    Ok(())
}
