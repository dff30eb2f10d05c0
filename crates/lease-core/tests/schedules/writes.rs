//! What the work writes under its Lease: a write that nobody waits for any more may land after the work has ended.

use std::time::Duration;

use lease_core::{Event, Identity};

use super::plan::DRIFT;
use super::queue::Happening;
use super::{Violation, World};

impl World {
    /// The work will write something soon; in quiet times it leaves nothing behind, so it need not.
    pub(crate) fn schedule_write(&mut self, node: usize, work: u64) {
        if !self.calm {
            let period = self.nodes[node].settings.timings.retry_period();
            let span = period.mul_f64(3.0 * self.rng.f64());
            self.queue.push(self.now + span, Happening::WorkWrites { node, work });
        }
    }

    /// The work sends a write, if it runs and may.
    pub(crate) fn work_writes(&mut self, node: usize, number: u64) {
        let at = &mut self.nodes[node];
        let may = at.is_valid(self.now) && !at.is_frozen();
        let Some(process) = &mut at.process else { return };
        let Some(work) = process.work.as_mut().filter(|work| work.number == number) else { return };
        if may {
            // The assumption on transit, for clocks that drift: LeaseDuration on one of them, RenewDeadline on another.
            let timings = &at.settings.timings;
            let longest = timings.lease_duration().div_f64(1.0 + DRIFT);
            let longest = longest.saturating_sub(timings.renew_deadline().div_f64(1.0 - DRIFT));
            let landing = self.now + longest.mul_f64(self.rng.f64());
            work.writes_until = work.writes_until.max(landing);
            let writer = process.identity.clone();
            self.queue.push(landing, Happening::WorkWriteLands { writer });
        }
        self.schedule_write(node, number);
    }

    /// The work has ended. Whoever ran it knows of the writes that were not answered.
    pub(crate) fn leave_writes(&mut self, node: usize, writes_until: Duration) -> Result<(), Violation> {
        if writes_until <= self.now {
            return Ok(());
        }
        self.stats.count("work ended, a write of it still on its way");
        let given_up = self.nodes[node].clocks.now(self.now).monotonic;
        self.tell(node, Event::Unanswered { given_up })
    }

    /// A write of the work is accepted: nobody else may hold the Lease by now.
    pub(crate) fn check_work_write(&mut self, writer: &Identity) -> Result<(), Violation> {
        let other = (0..self.nodes.len()).find(|&node| {
            let process = self.nodes[node].process.as_ref();
            self.nodes[node].is_valid(self.now) && process.is_some_and(|process| process.identity != *writer)
        });
        match other {
            Some(node) => {
                let what = format!("a write of what ran under {writer} lands while node {node} is valid");
                Err(self.violation("no write lands beside another holder", what))
            }
            None => Ok(()),
        }
    }
}
