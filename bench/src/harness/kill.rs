//! The death of a replica, and who takes over.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fleet::{held_by_pod, shard_leases};

use super::{BETWEEN, Harness, OPERATORS};

/// A replica that was killed.
pub(crate) struct Killed {
    pub(crate) pod: String,
    /// How many shards it held.
    pub(crate) shards: usize,
    /// Just before the signal.
    pub(crate) at: Instant,
}

impl Harness {
    /// How often shard Leases have changed hands so far.
    pub(crate) async fn transitions(&self) -> Result<i64> {
        let leases = shard_leases(&self.client, OPERATORS).await?;
        Ok(leases.iter().map(|lease| i64::from(lease.transitions)).sum())
    }

    /// Kills one replica, which does not come back.
    pub(crate) async fn kill_one(&mut self) -> Result<Killed> {
        let mut replica = self.replicas.pop().context("no replica runs")?;
        let pod = replica.pod().to_owned();
        let leases = shard_leases(&self.client, OPERATORS).await?;
        let shards = held_by_pod(&leases).get(pod.as_str()).copied().unwrap_or_default() as usize;
        let at = Instant::now();
        replica.kill()?;
        replica.exit().await;
        Ok(Killed { pod, shards, at })
    }

    /// How long after the kill the last shard of that replica was seen to be held by another.
    pub(crate) async fn taken_over(&self, killed: &Killed) -> Result<Duration> {
        let deadline = killed.at + self.limits.within;
        loop {
            let leases = shard_leases(&self.client, OPERATORS).await?;
            let left = leases.iter().filter(|lease| lease.pod().is_none_or(|pod| pod == killed.pod)).count();
            if left == 0 {
                return Ok(killed.at.elapsed());
            }
            self.still_running(deadline, || format!("{left} shards of {} to be taken over", killed.pod))?;
            tokio::time::sleep(BETWEEN).await;
        }
    }
}
