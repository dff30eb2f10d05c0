//! A replica ends, and others take over what it did.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fleet::Replica;

use super::Harness;
use crate::ending::{Ending, Wait};
use crate::reconciles::{Reconciled, by_last_process, wait_of};

/// Between two looks at what has been reconciled. All output is read each time, which takes the processor away from what is
/// measured; the times are in the records, so looking late changes none of them.
const BETWEEN_READS: Duration = Duration::from_secs(2);
/// For how long requests for Leases are counted.
const COUNTED_FOR: Duration = Duration::from_secs(20);

/// Which replica is to end, and what it is doing.
struct Chosen {
    index: usize,
    process: String,
    affected: BTreeSet<String>,
}

impl Harness {
    /// Lets one of the replicas that reconcile resources end, and waits until other processes have reconciled what was its part, and
    /// all replicas run again and have theirs.
    pub(crate) async fn take_out(&mut self, ending: Ending, nth: usize) -> Result<Wait> {
        let chosen = self.choose(nth)?;
        let replica = &mut self.replicas[chosen.index];
        let at = match ending {
            Ending::Terminated => replica.terminate()?,
            Ending::Killed | Ending::RestartedInPlace => replica.kill()?,
        };
        if ending == Ending::RestartedInPlace {
            replica.exit().await;
            replica.restart()?;
        }
        let deadline = Instant::now() + self.limits.within;
        let (first, last) = loop {
            tokio::time::sleep(BETWEEN_READS).await;
            let found = wait_of(&chosen.affected, &chosen.process, at.boot.0, &self.reconciled());
            if let Some(found) = found {
                break found;
            }
            self.still_running(deadline, || {
                format!("{} resources of {} to be reconciled", chosen.affected.len(), chosen.process)
            })?;
        };
        if ending != Ending::RestartedInPlace {
            self.wait_for_exit(chosen.index, deadline).await?;
            self.replicas[chosen.index].restart()?;
        }
        self.balance().await?;
        Ok(Wait {
            ending,
            affected: chosen.affected.len(),
            first_seconds: first.as_secs_f64(),
            last_seconds: last.as_secs_f64(),
        })
    }

    /// Those that reconcile something take turns.
    fn choose(&self, nth: usize) -> Result<Chosen> {
        let by_process = by_last_process(&self.reconciled());
        let mut candidates = Vec::new();
        for (index, replica) in self.replicas.iter().enumerate() {
            // The newest process of this Pod: its records are the last in the Pod's output.
            let Some(newest) = Reconciled::all_in(&replica.log()).pop() else { continue };
            if let Some(affected) = by_process.get(&newest.replica) {
                candidates.push(Chosen { index, process: newest.replica, affected: affected.clone() });
            }
        }
        if candidates.is_empty() {
            bail!("no replica has recorded a reconcile");
        }
        let chosen = nth % candidates.len();
        Ok(candidates.swap_remove(chosen))
    }

    /// What all processes have reconciled so far.
    pub(super) fn reconciled(&self) -> Vec<Reconciled> {
        self.replicas.iter().flat_map(|replica| Reconciled::all_in(&replica.log())).collect()
    }

    async fn wait_for_exit(&self, index: usize, deadline: Instant) -> Result<()> {
        let replica: &Replica = &self.replicas[index];
        let left = deadline.saturating_duration_since(Instant::now());
        let exit = tokio::time::timeout(left, replica.exit()).await;
        exit.map(|_| ()).with_context(|| format!("{} did not end", replica.pod()))
    }

    /// How many requests for Leases all replicas send in a minute while nothing changes.
    pub(crate) async fn lease_requests_per_minute(&mut self) -> Result<f64> {
        let mark = self.mark()?;
        tokio::time::sleep(COUNTED_FOR).await;
        let spent = self.since(&mark)?;
        Ok(spent.per_minute(spent.elections.total()))
    }
}
