//! `bench throughput`: how many new resources a second are acted on, and what that takes.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::harness::{Harness, Limits};
use crate::progress::Until;
use crate::spent::Spent;
use crate::subject::Subject;
use crate::usage::Memory;

/// What was measured of one operator in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Throughput {
    pub(crate) subject: Subject,
    pub(crate) round: u32,
    pub(crate) resources: u32,
    /// From the first creation until the last status said that its resource was acted on.
    pub(crate) acted_on_seconds: f64,
    /// The same until the last one said that all servers were ready.
    pub(crate) ready_seconds: f64,
    /// From the first creation until nothing was left to do.
    pub(crate) spent: Spent,
    /// Resident bytes of each replica at the end.
    pub(crate) memory: Vec<Memory>,
}

/// Measures one operator once. Servers become ready as soon as they are there.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    (round, resources): (u32, u32),
    limits: Limits,
) -> Result<Throughput> {
    let mut harness = Harness::start(subject, program, limits).await?;
    harness.servers_get_ready();
    harness.quiet().await?;
    let mark = harness.mark()?;
    let made = harness.create(resources).await?;
    harness.reach(&made, Until::Ready).await?;
    harness.quiet().await?;
    let spent = harness.since(&mark)?;
    let took = |until| harness.took(&made, until).map(|took| took.as_secs_f64());
    let acted_on_seconds = took(Until::ActedOn).context("no resource was acted on")?;
    let ready_seconds = took(Until::Ready).context("no resource became ready")?;
    let memory = harness.memory()?;
    harness.stop().await?;
    Ok(Throughput { subject, round, resources, acted_on_seconds, ready_seconds, spent, memory })
}
