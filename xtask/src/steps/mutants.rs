//! Each rule broken on purpose: a test must notice.

use anyhow::{Result, bail};

use super::Bench;
use super::targets::{Targets, as_args};
use crate::outcome::Outcome;

pub(super) fn run(bench: &mut Bench) -> Result<Outcome> {
    let targets = Targets::find()?.mutants;
    if targets.is_empty() {
        bail!("there is no integration test whose name contains \"mutants\"");
    }
    bench.test(as_args(&targets))
}
