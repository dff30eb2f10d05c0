//! Each rule broken on purpose: a test must notice.

use anyhow::{Result, bail};

use super::StepContext;
use super::targets::{Targets, as_args};
use crate::status::StepStatus;

pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let targets = Targets::find()?.mutants;
    if targets.is_empty() {
        bail!("there is no integration test whose name contains \"mutants\"");
    }
    cx.test(as_args(&targets))
}
