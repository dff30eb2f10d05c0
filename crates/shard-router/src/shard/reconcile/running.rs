//! The record of one reconcile: opened by `begin`, closed by `end`, or by `aborted` whatever else happens to it.

use std::{sync::Arc, time::Duration};

use crate::{
    authority::buckets::BucketTicket,
    observability::records::{HoldRecord, ReconcileFacts, Recorder},
    shard::tracker::Ticket,
};

/// A reconcile in progress. The order of the fields is the order in which they are dropped: the line `aborted` first, then
/// the tracker may see the shard idle, and the hold's own record ends last.
pub(super) struct Running {
    open: OpenLine,
    tickets: Option<(Ticket, BucketTicket)>,
    pub(super) facts: ReconcileFacts,
    hold: Arc<HoldRecord>,
}

impl Running {
    pub(super) fn new(
        recorder: Recorder,
        facts: ReconcileFacts,
        tickets: (Ticket, BucketTicket),
        hold: Arc<HoldRecord>,
    ) -> Self {
        let open = OpenLine { recorder, facts: Some(facts.clone()) };
        Self { open, tickets: Some(tickets), facts, hold }
    }

    /// Writes `end`. What comes back keeps the reconcile counted as running until it is dropped.
    pub(super) fn end(mut self, outcome: &'static str, took: Duration) -> impl Send + use<> {
        if let Some(facts) = self.open.facts.take() {
            self.open.recorder.end(&facts, outcome, took);
        }
        (self.tickets.take(), self.hold)
    }
}

struct OpenLine {
    recorder: Recorder,
    facts: Option<ReconcileFacts>,
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        if let Some(facts) = self.facts.take() {
            self.recorder.aborted(&facts);
        }
    }
}
