//! Once faults are over, somebody leads within the bound, and nothing changes without a reason.

use std::time::Duration;

use super::ledger::Settled;
use super::times;
use crate::world::{Violation, World};

impl World {
    /// Once the bound has passed, somebody leads and goes on leading.
    pub(super) fn check_settled(&mut self, valid: Option<usize>) -> Result<(), Violation> {
        let bound = self.plan.recovery_bound();
        if self.watcher.calm_since.is_none_or(|since| self.now < since + bound) {
            return Ok(());
        }
        let Some(valid) = valid else {
            return Err(
                self.violation("somebody leads", format!("nobody is valid, {bound:?} after the last fault"))
            );
        };
        let requests =
            || self.nodes.iter().map(|node| node.process.as_ref().map_or(0, |of| of.ledger.requests));
        match &self.watcher.settled {
            None => {
                let requests = requests().collect();
                self.watcher.settled = Some(Settled { leader: valid, since: self.now, requests });
                Ok(())
            }
            Some(settled) if settled.leader == valid => Ok(()),
            Some(settled) => {
                let what = format!("from node {} to node {valid}, with no fault at all", settled.leader);
                Err(self.violation("nothing changes without a reason", what))
            }
        }
    }

    /// In quiet times a leader renews once per RetryPeriod, and the others watch.
    pub(crate) fn check_quiet(&mut self) -> Result<(), Violation> {
        let Some(settled) = &self.watcher.settled else { return Ok(()) };
        let span = self.now.saturating_sub(settled.since);
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(process) = &node.process else { continue };
            let requests = process.ledger.requests - settled.requests[index];
            let period = node.settings.timings.retry_period();
            // Of unlike settings, a nervous standby may look between two renewals of a lazy leader.
            let allowed = match (index == settled.leader, self.plan.is_uniform()) {
                (true, _) => times(span, period) + 1,
                (false, true) => 0,
                (false, false) => times(span, 2 * period) + 1,
            };
            if requests > allowed {
                let what =
                    format!("node {index} sent {requests} requests in {span:?}, {allowed} are allowed");
                return Err(self.violation("quiet times are quiet", what));
            }
        }
        Ok(())
    }

    /// The bound after the end of a leader has passed.
    pub(crate) fn check_succession(&mut self, bound: Duration) -> Result<(), Violation> {
        if (0..self.nodes.len()).any(|node| self.nodes[node].is_valid(self.now)) {
            self.stats.count("succession in quiet times");
            return Ok(());
        }
        let what = format!("nobody is valid {bound:?} after the leader died or was told to step down");
        Err(self.violation("succession within the bound", what))
    }
}
