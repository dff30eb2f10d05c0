//! Tests against a real API server.

use std::thread;

use anyhow::{Result, anyhow, bail};

use super::StepContext;
use super::targets::{Targets, as_args};
use crate::cargo::Output;
use crate::status::StepStatus;

/// It has API servers of its own, and spends most of its time waiting for Leases to expire: it runs beside all others.
const MOSTLY_WAITS: &str = "real_api_restore";

pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let targets = Targets::find()?.others;
    let (waiting, others): (Vec<_>, Vec<_>) = targets.into_iter().partition(|name| name == MOSTLY_WAITS);
    if waiting.is_empty() || others.is_empty() {
        bail!("there is no integration test {MOSTLY_WAITS}, or there are no others");
    }
    let shared = &*cx;
    let (run, beside) = thread::scope(|scope| {
        let beside = scope.spawn(|| shared.run_tests(as_args(&waiting), Output::AtTheEnd));
        (shared.run_tests(as_args(&others), Output::AtOnce), beside.join())
    });
    let beside = beside.map_err(|_| anyhow!("the thread that ran {MOSTLY_WAITS} panicked"))?;
    let mut run = run?;
    run.add(beside?);
    cx.judge(run)
}
