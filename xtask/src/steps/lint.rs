//! Clippy on everything, with and without the features that only tests need.

use anyhow::Result;

use super::StepContext;
use crate::cargo::Cargo;
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    // Denied on clippy's command line, not in RUSTFLAGS, which would build every dependency anew.
    // Without the features, too: as it is shipped, nothing of the deliberate faults is there to be used.
    for features in [&["--all-features"][..], &[]] {
        let cargo = Cargo::new(["clippy", "--workspace", "--all-targets"]).args(features);
        cargo.args(["--", "-D", "warnings"]).run()?;
    }
    Ok(StepStatus::Passed(String::new()))
}
