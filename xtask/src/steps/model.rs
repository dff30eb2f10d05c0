//! `cargo xtask model`: every order of steps and faults of layout changes. See docs/model.md.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::StepContext;
use super::simulation::build_with_model;
use crate::cargo::{root, target_dir};
use crate::status::StepStatus;

/// Which bounds.
#[derive(Args)]
pub(crate) struct ModelOptions {
    /// Check the larger bounds too: that takes long, and some gigabytes of memory
    #[arg(long)]
    full: bool,
}

/// Builds the model and checks it.
pub(crate) fn run_verb(options: &ModelOptions) -> Result<()> {
    check(options).map(drop)
}

/// The bounds that every change of the project is checked with.
pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    check(&ModelOptions { full: false }).map(StepStatus::Passed)
}

/// Returns the last line that the model prints, which sums up.
fn check(options: &ModelOptions) -> Result<String> {
    build_with_model()?;
    let mut command = Command::new(target_dir()?.join("sim/layout-model"));
    command.args(options.full.then_some("--full")).current_dir(root()).stdout(Stdio::piped());
    let mut child = command.spawn().context("the model could not be started")?;
    let stdout = child.stdout.take().context("the output was asked for")?;
    let mut last = String::new();
    for line in BufReader::new(stdout).lines() {
        last = line.context("the model's output could not be read")?;
        println!("{last}");
    }
    let status = child.wait().context("the model could not be waited for")?;
    if !status.success() {
        bail!("the model failed ({status})");
    }
    Ok(last)
}
