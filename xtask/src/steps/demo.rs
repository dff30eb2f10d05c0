//! `cargo xtask demo`, which the package `fleet` runs.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{Features, build_demo, build_operator, root};

/// Builds the operator and the demo and lets it run.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let asks = |flag: &str| args.iter().any(|arg| arg.to_string_lossy().starts_with(flag));
    let features = if asks("--mutant") { Features::All } else { Features::Default };
    let demo = build_demo(features)?;
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
    if ["--help", "-h", "--version", "-V"].into_iter().any(asks) {
        return Ok(());
    }
    println!("Building the operator …");
    play(&["--operator".as_ref(), build_operator(features)?.as_ref()])
}
