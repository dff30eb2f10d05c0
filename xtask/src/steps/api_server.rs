//! Tests against a real API server.

use anyhow::{Result, bail};

use super::StepContext;
use super::targets::{Targets, as_args};
use crate::status::StepStatus;

pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let targets = Targets::find()?.others;
    if targets.is_empty() {
        bail!("there are no integration tests");
    }
    cx.test(as_args(&targets))
}
