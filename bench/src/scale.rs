//! `bench scale`: many resources, shards and replicas, and what the death of one replica does there.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use lease_core::Timings;
use serde::Serialize;

use crate::harness::{Harness, Limits};
use crate::progress::Until;
use crate::spent::Spent;
use crate::subject::Subject;
use crate::usage::Memory;

/// How many resources are edited at the moment at which a replica is killed.
const EDITED: usize = 200;

/// What was measured of one operator with many resources.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scale {
    pub(crate) subject: Subject,
    pub(crate) resources: u32,
    /// From the first creation until the last status said that all servers were ready.
    pub(crate) ready_seconds: f64,
    /// From the first creation until nothing was left to do.
    pub(crate) spent: Spent,
    /// How many shard Leases changed hands meanwhile, although every replica ran.
    pub(crate) lost_under_load: i64,
    /// With everything settled.
    pub(crate) memory: Vec<Memory>,
    pub(crate) watches: i64,
    pub(crate) connections: usize,
    pub(crate) takeover: Takeover,
}

/// What followed when one replica was killed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Takeover {
    /// How many shards it held.
    pub(crate) shards: usize,
    /// From the kill until the last of them was seen to be held by another replica.
    pub(crate) held_again_seconds: f64,
    /// LeaseDuration and RetryPeriod, within which that has to happen.
    pub(crate) bound_seconds: f64,
    /// How many resources were edited right after the kill, whoever owned them.
    pub(crate) edited: usize,
    /// From the kill until the last of the edits was acted on.
    pub(crate) acted_on_seconds: f64,
}

/// Measures one operator once. Fails where a shard has no holder within the bound.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    resources: u32,
    limits: Limits,
) -> Result<Scale> {
    let mut harness = Harness::start(subject, program, limits).await?;
    harness.servers_get_ready();
    harness.quiet().await?;
    let (mark, transitions) = (harness.mark()?, harness.transitions().await?);
    let mut made = harness.create(resources).await?;
    harness.reach(&made, Until::Ready).await?;
    harness.quiet().await?;
    let spent = harness.since(&mark)?;
    let lost_under_load = harness.transitions().await? - transitions;
    let ready_seconds = harness.took(&made, Until::Ready).context("no resource became ready")?.as_secs_f64();
    let memory = harness.memory()?;
    let (watches, connections) = harness.open()?;

    let killed = harness.kill_one().await?;
    made.generations.truncate(EDITED);
    harness.edit(&mut made).await?;
    let held_again = harness.taken_over(&killed).await?;
    harness.reach(&made, Until::ActedOn).await?;
    let acted_on = killed.at.elapsed();
    harness.balance().await?;
    let bound = Timings::standard().takeover_bound();
    ensure!(
        held_again <= bound,
        "a shard of {} was without a holder for {held_again:?} after the kill, and the bound is {bound:?}",
        killed.pod
    );
    harness.stop().await?;
    let takeover = Takeover {
        shards: killed.shards,
        held_again_seconds: held_again.as_secs_f64(),
        bound_seconds: bound.as_secs_f64(),
        edited: made.generations.len(),
        acted_on_seconds: acted_on.as_secs_f64(),
    };
    Ok(Scale {
        subject,
        resources,
        ready_seconds,
        spent,
        lost_under_load,
        memory,
        watches,
        connections,
        takeover,
    })
}
