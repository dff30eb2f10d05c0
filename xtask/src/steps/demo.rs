//! `cargo xtask demo`, which the package `fleet` runs.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, Features, build_operator, root, target_dir};

/// Builds the operator and the demo and lets it run.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    Cargo::new(["build", "--quiet", "--package", "fleet", "--bin", "demo"])
        .run()
        .context("the demo could not be built")?;
    let demo = target_dir()?.join("debug/demo");
    let play = |more: &[&OsStr]| {
        let status = Command::new(&demo).args(more).args(args).current_dir(root()).status();
        let status = status.with_context(|| format!("{} could not be started", demo.display()))?;
        if !status.success() {
            bail!("the demo failed ({status})");
        }
        Ok(())
    };
    // Who mistyped is told before the operator is built, and who asks for help gets no more.
    play(&["--check-only".as_ref()])?;
    let asks = |flag: &str| args.iter().any(|arg| arg.to_string_lossy().starts_with(flag));
    if ["--help", "-h", "--version", "-V"].into_iter().any(asks) {
        return Ok(());
    }
    println!("Building the operator …");
    let features = if asks("--mutant") { Features::All } else { Features::Default };
    play(&["--operator".as_ref(), build_operator(features)?.as_ref()])
}
