//! What became of the shards of one lost replica.

use std::time::Duration;

use overlap_checker::records::{RecordLog, Replica, Stamp};
use overlap_checker::{Takeover, Timeline, takeovers};

/// A replica that was taken out, and the takeover of each of its shards.
pub(super) struct Loss {
    pub(super) pod: String,
    pub(super) takeovers: Vec<Takeover>,
}

impl Loss {
    /// Reads the takeovers from the records.
    pub(super) fn measure(log: &RecordLog, lost: &Replica, at: &Stamp) -> Self {
        let timeline = Timeline::new(&log.records);
        let takeovers = takeovers(&timeline, lost, at).unwrap_or_default();
        Self { pod: lost.pod().to_owned(), takeovers }
    }

    /// Whether every shard has a new owner, and every affected resource was reconciled by it.
    pub(super) fn is_over(&self) -> bool {
        !self.takeovers.is_empty()
            && self.takeovers.iter().all(|takeover| takeover.owned_after.is_some() && takeover.missing() == 0)
    }

    /// From the fault to the next valid holder, for each shard that got one.
    pub(super) fn owned_ms(&self) -> Vec<f64> {
        self.takeovers.iter().filter_map(|takeover| takeover.owned_after).map(millis).collect()
    }

    /// From the fault to the first reconcile of the last affected resource, for each shard that had any.
    pub(super) fn reconciled_ms(&self) -> Vec<f64> {
        let done = self.takeovers.iter().filter(|takeover| !takeover.reconciled_after.is_empty());
        done.filter_map(Takeover::all_reconciled_after).map(millis).collect()
    }

    /// What is wrong, one sentence each.
    pub(super) fn failures(&self, bound: Duration) -> Vec<String> {
        let mut failures = Vec::new();
        for takeover in &self.takeovers {
            let shard = takeover.shard;
            match takeover.owned_after {
                None => failures.push(format!("Shard {shard} of {} got no new owner.", self.pod)),
                Some(after) if after > bound => failures.push(format!(
                    "Shard {shard} of {} got its new owner after {:.0} ms, later than the bound of {:.0} ms.",
                    self.pod,
                    millis(after),
                    millis(bound)
                )),
                Some(_) => {}
            }
            if takeover.missing() > 0 {
                failures.push(format!(
                    "{} resources of shard {shard} were not reconciled again after {} was lost.",
                    takeover.missing(),
                    self.pod
                ));
            }
        }
        if self.takeovers.is_empty() {
            failures
                .push(format!("{} held no shard when it was taken out, so no takeover was seen.", self.pod));
        }
        failures
    }

    /// One line for each shard.
    pub(super) fn describe(&self, bound: Duration) -> String {
        let lines = self.takeovers.iter().map(|takeover| {
            let owned =
                takeover.owned_after.map_or("never".to_owned(), |after| format!("{:.0} ms", millis(after)));
            let to = takeover.to.as_ref().map_or("nobody", Replica::pod);
            let reconciled = match (takeover.reconciled_after.len(), takeover.all_reconciled_after()) {
                (0, _) => "it had no resources".to_owned(),
                (count, Some(after)) => {
                    format!("all {count} resources reconciled after {:.0} ms", millis(after))
                }
                (count, None) => format!("{} of {count} resources NOT reconciled", takeover.missing()),
            };
            format!(
                "  shard {:>3} → {to:<22} owned after {owned:>8} (bound {:.0} ms), {reconciled}",
                takeover.shard.0,
                millis(bound)
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
