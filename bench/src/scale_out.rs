//! `bench scale-out`: how much faster more replicas get through reconciles that wait, in virtual time.
//!
//! Whole replicas run on the API server in memory; the program is a bench of shard-router, which shares its harness with the tests there.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::options::Sizes;

/// What one size came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) resources: u32,
    pub(crate) replicas: u32,
    pub(crate) shards: u16,
    /// Of virtual time, from the creation of the resources until the last reconcile ended.
    pub(crate) seconds: f64,
    /// How many resources the busiest replica had.
    pub(crate) busiest: u32,
}

/// Goes through all sizes.
pub(crate) fn measure(sizes: &Sizes, program: Option<&Path>) -> Result<Vec<Run>> {
    let program = program.context("there is no program to measure; start this by `cargo xtask bench`")?;
    let arguments = [list(&sizes.resources), list(&sizes.replicas), list(&sizes.shards)];
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{} could not be started", program.display()))?;
    ensure!(output.status.success(), "{} failed ({})", program.display(), output.status);
    let lines = String::from_utf8(output.stdout).context("the curve is no text")?;
    let runs = lines.lines().map(|line| serde_json::from_str(line).context("the curve cannot be read"));
    runs.collect()
}

fn list<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
