//! `bench requests`: what is sent for a new resource, an edit, and a takeover of resources that have not changed.
//!
//! Servers become ready in phases of their own, so that counts don't depend on how fast the stand-in is.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::progress::Until;
use crate::spent::Spent;
use crate::stage::{Limits, Stage};
use crate::subject::Subject;

/// How long an operator is watched that has nothing to do.
const IDLE: Duration = Duration::from_secs(20);

/// What was counted of one operator.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Requests {
    pub(crate) subject: Subject,
    pub(crate) resources: u32,
    /// From the first creation until every status says that the resource was acted on, and nothing is left to do.
    pub(crate) creation: Spent,
    /// From when all servers were ready until every status says so.
    pub(crate) rollout: Spent,
    /// From the edit of one field of each resource until every status says that it was acted on.
    pub(crate) edit: Spent,
    /// As after the creation.
    pub(crate) edit_rollout: Spent,
    /// One replica ends in good order and starts again; nothing has changed.
    pub(crate) takeover: Spent,
    /// For a while after that.
    pub(crate) idle: Spent,
    /// Resident bytes of each replica before there are resources.
    pub(crate) memory_empty: Vec<u64>,
    /// The same after the takeover.
    pub(crate) memory_full: Vec<u64>,
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
    let mut stage = Stage::raise(subject, program, limits).await?;
    let memory_empty = stage.memory()?;

    let mark = stage.mark()?;
    let mut made = stage.create(resources).await?;
    stage.reach(&made, Until::ActedOn).await?;
    stage.quiet().await?;
    let creation = stage.since(&mark)?;

    let mark = stage.mark()?;
    stage.servers_get_ready();
    stage.reach(&made, Until::Ready).await?;
    stage.quiet().await?;
    stage.servers_stay();
    let rollout = stage.since(&mark)?;
    let children = made.children(stage.client()).await?;

    let mark = stage.mark()?;
    stage.edit(&mut made).await?;
    stage.reach(&made, Until::ActedOn).await?;
    stage.quiet().await?;
    let edit = stage.since(&mark)?;

    let mark = stage.mark()?;
    stage.servers_get_ready();
    stage.reach(&made, Until::Ready).await?;
    stage.quiet().await?;
    stage.servers_stay();
    let edit_rollout = stage.since(&mark)?;

    let mark = stage.mark()?;
    stage.restart_one().await?;
    let takeover = stage.since(&mark)?;

    let mark = stage.mark()?;
    tokio::time::sleep(IDLE).await;
    let idle = stage.since(&mark)?;
    let memory_full = stage.memory()?;
    let (watches, connections) = stage.open()?;
    stage.strike().await?;
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
