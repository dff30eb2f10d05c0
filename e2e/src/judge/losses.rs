//! Replicas that were taken out, and what became of their shards.

use std::collections::HashSet;
use std::time::Duration;

use overlap_checker::records::{CrKey, Replica, Stamp};
use overlap_checker::{Takeover, Timeline, takeovers};
use serde::Serialize;

/// How a replica was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// Its container was ended with SIGKILL.
    Killed,
    /// Its node lost power.
    NodeOff,
    /// Its node stood still for longer than LeaseDuration.
    NodeFrozen,
    /// It did not reach the API server.
    CutOff,
    /// Its Pod was deleted.
    Deleted,
}

impl Cause {
    /// Whether it could not give its Leases up. Those expire.
    pub(crate) fn is_sudden(self) -> bool {
        self != Self::Deleted
    }

    /// For tables.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Killed => "container killed",
            Self::NodeOff => "node off",
            Self::NodeFrozen => "node frozen",
            Self::CutOff => "cut off",
            Self::Deleted => "Pod deleted",
        }
    }
}

/// A replica that was taken out.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) replica: Replica,
    pub(crate) at: Stamp,
    pub(crate) cause: Cause,
    /// The longest that its shards may be without an owner.
    pub(crate) bound: Duration,
}

/// What became of the shards of one lost replica.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) pod: String,
    pub(crate) cause: Cause,
    pub(crate) bound_ms: f64,
    pub(crate) shards: Vec<MeasuredShard>,
    /// On the checker's clock.
    #[serde(skip)]
    pub(crate) at: Option<overlap_checker::Moment>,
}

/// One shard's way to its next owner.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MeasuredShard {
    pub(crate) shard: u32,
    /// From the loss to the next valid holder.
    pub(crate) owned_ms: Option<f64>,
    /// From the loss to the first reconcile of the last affected resource; none where there was none.
    pub(crate) reconciled_ms: Option<f64>,
    /// Affected resources that nobody has reconciled since.
    pub(crate) missing: usize,
}

impl Loss {
    /// Reads from the records what became of it.
    pub(crate) fn measure(&self, timeline: &Timeline, deleted: &HashSet<CrKey>) -> Measured {
        let mut found = takeovers(timeline, &self.replica, &self.at).unwrap_or_default();
        for takeover in &mut found {
            takeover.reconciled_after.retain(|cr, after| after.is_some() || !deleted.contains(cr));
        }
        Measured {
            pod: self.replica.pod().to_owned(),
            cause: self.cause,
            bound_ms: millis(self.bound),
            shards: found.iter().map(MeasuredShard::new).collect(),
            at: timeline.clock.of_stamp(&self.at),
        }
    }
}

impl MeasuredShard {
    fn new(takeover: &Takeover) -> Self {
        let any = !takeover.reconciled_after.is_empty();
        Self {
            shard: takeover.shard.0,
            owned_ms: takeover.owned_after.map(millis),
            reconciled_ms: takeover.all_reconciled_after().filter(|_| any).map(millis),
            missing: takeover.missing(),
        }
    }
}

impl Measured {
    /// What is wrong, one sentence each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let (pod, cause, bound) = (&self.pod, self.cause.words(), self.bound_ms);
        if self.shards.is_empty() {
            return vec![format!("{pod} held no shard when it was lost ({cause}), so no takeover was seen.")];
        }
        let wrong = |shard: &MeasuredShard| match shard.owned_ms {
            None => Some(format!("Shard {} of {pod} ({cause}) got no new owner.", shard.shard)),
            Some(ms) if ms > bound => Some(format!(
                "Shard {} of {pod} ({cause}) got its new owner after {ms:.0} ms, later than the bound of {bound:.0} ms.",
                shard.shard
            )),
            Some(_) if shard.missing > 0 => Some(format!(
                "{} resources of shard {} were not reconciled again after {pod} was lost ({cause}).",
                shard.missing, shard.shard
            )),
            Some(_) => None,
        };
        self.shards.iter().filter_map(wrong).collect()
    }

    /// For people: what was lost, and how long each shard had no owner.
    pub(crate) fn describe(&self) -> String {
        let mut times: Vec<f64> = self.shards.iter().filter_map(|shard| shard.owned_ms).collect();
        times.sort_by(f64::total_cmp);
        let times: Vec<_> = times.iter().map(|ms| format!("{ms:.0}")).collect();
        format!(
            "{} ({}): {} shards owned again after {} ms (bound {:.0} ms)",
            self.pod,
            self.cause.words(),
            self.shards.len(),
            if times.is_empty() { "-".to_owned() } else { times.join(", ") },
            self.bound_ms
        )
    }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
