//! `bench requests`: what is sent for a new resource, an edit, and a takeover of resources that have not changed.
//!
//! Servers become ready only once all resources have been acted on, so that counts don't depend on how fast the stand-in is.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::harness::{Harness, Limits, Mark};
use crate::progress::Until;
use crate::resources::Resources;
use crate::spent::Spent;
use crate::subject::Subject;
use crate::usage::Memory;

/// How long an operator is watched that has nothing to do.
const IDLE: Duration = Duration::from_secs(20);

/// What was counted of one operator.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Requests {
    pub(crate) subject: Subject,
    pub(crate) resources: u32,
    /// From the first creation until every status says that the resource was acted on.
    pub(crate) creation: Spent,
    /// From the first creation until every status says that the servers are ready, and nothing is left to do.
    pub(crate) rollout: Spent,
    /// From the edit of one field of each resource until every status says that it was acted on.
    pub(crate) edit: Spent,
    /// From the edit until every status says that the servers are ready, and nothing is left to do.
    pub(crate) edit_rollout: Spent,
    /// One replica ends in good order and starts again; nothing has changed.
    pub(crate) takeover: Spent,
    /// For a while after that.
    pub(crate) idle: Spent,
    /// Resident bytes of each replica before there are resources.
    pub(crate) memory_empty: Vec<Memory>,
    /// The same after the takeover.
    pub(crate) memory_full: Vec<Memory>,
    /// Of all replicas, after the takeover.
    pub(crate) watches: i64,
    pub(crate) connections: usize,
    /// Those of one resource, to compare operators by.
    #[serde(skip)]
    pub(crate) children: Value,
}

/// Measures one operator.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    resources: u32,
    limits: Limits,
) -> Result<Requests> {
    let mut harness = Harness::start(subject, program, limits).await?;
    let memory_empty = harness.memory()?;

    let mark = harness.mark()?;
    let mut made = harness.create(resources).await?;
    harness.reach(&made, Until::ActedOn).await?;
    let creation = harness.since(&mark)?;
    let rollout = roll_out(&mut harness, &made, &mark).await?;
    let children = made.children(harness.client()).await?;

    let mark = harness.mark()?;
    harness.edit(&mut made).await?;
    harness.reach(&made, Until::ActedOn).await?;
    let edit = harness.since(&mark)?;
    let edit_rollout = roll_out(&mut harness, &made, &mark).await?;

    let mark = harness.mark()?;
    harness.restart_one().await?;
    let takeover = harness.since(&mark)?;

    let mark = harness.mark()?;
    tokio::time::sleep(IDLE).await;
    let idle = harness.since(&mark)?;
    let memory_full = harness.memory()?;
    let (watches, connections) = harness.open()?;
    harness.stop().await?;
    Ok(Requests {
        subject,
        resources,
        creation,
        rollout,
        edit,
        edit_rollout,
        takeover,
        idle,
        memory_empty,
        memory_full,
        watches,
        connections,
        children,
    })
}

/// Lets servers become ready, and waits until every status says so and nothing is left to do. An operator that looks at servers that are
/// not ready comes to rest only then.
async fn roll_out(harness: &mut Harness, resources: &Resources, mark: &Mark) -> Result<Spent> {
    harness.servers_get_ready();
    harness.reach(resources, Until::Ready).await?;
    harness.quiet().await?;
    harness.servers_stay();
    harness.since(mark)
}
