//! `bench idle`: what many replicas with many shards take while there is nothing to do.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::harness::{Harness, Limits};
use crate::spent::Spent;
use crate::subject::Subject;
use crate::usage::Memory;

/// What was measured of one operator that has nothing to do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Idle {
    pub(crate) subject: Subject,
    pub(crate) spent: Spent,
    /// Events of Leases that the API server sent, to all watches together.
    pub(crate) lease_events: f64,
    /// Resident bytes of each replica.
    pub(crate) memory: Vec<Memory>,
    /// Of all replicas.
    pub(crate) watches: i64,
    pub(crate) connections: usize,
}

/// Measures one operator for so long, once its shards are spread over its replicas.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    duration: Duration,
    limits: Limits,
) -> Result<Idle> {
    let mut harness = Harness::start(subject, program, limits).await?;
    let (mark, events) = (harness.mark()?, harness.watch_events("coordination.k8s.io").await?);
    tokio::time::sleep(duration).await;
    let spent = harness.since(&mark)?;
    let lease_events = harness.watch_events("coordination.k8s.io").await? - events;
    let memory = harness.memory()?;
    let (watches, connections) = harness.open()?;
    harness.stop().await?;
    Ok(Idle { subject, spent, lease_events, memory, watches, connections })
}
