//! Tests against a real API server.

use anyhow::{Result, bail};

use super::Bench;
use super::targets::{Targets, as_args};
use crate::outcome::Outcome;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome> {
    let targets = Targets::find()?.others;
    if targets.is_empty() {
        bail!("there are no integration tests");
    }
    bench.test(as_args(&targets))
}
