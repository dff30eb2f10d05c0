//! What is left when the world ends.

use std::collections::BTreeSet;

use embedded_apiserver::Shape;

use super::World;
use crate::observations::Observations;
use crate::trace::Trace;

/// What a schedule led to.
#[derive(Debug)]
pub struct Run {
    /// For the checkers.
    pub observations: Observations,
    /// What happened, line by line.
    pub trace: Trace,
    /// The shapes of all requests that replicas and players made.
    pub shapes: BTreeSet<Shape>,
}

impl World {
    pub(super) fn finish(mut self) -> Run {
        let shapes = self.api.shapes();
        let objects = self.objects();
        if self.ledger.converged.is_some() {
            self.ledger.missing.clear();
        }
        let wishes = self.players.wishes();
        let mut processes = Vec::new();
        let mut records = Vec::new();
        for process in self.processes {
            records.extend(process.records());
            processes.push(process.conclude());
        }
        records.sort_by_key(|record: &overlap_checker::records::Record| record.boot);
        // The process is about to end, and an API server that ran for hours has much to take down.
        std::mem::forget(self.api);
        let ledger = self.ledger;
        let trace = ledger.trace;
        let observations = Observations {
            schedule: self.schedule,
            processes,
            records,
            requests: ledger.requests,
            leases: ledger.leases,
            children: ledger.children,
            faults: ledger.faults,
            restores: ledger.restores,
            quiet_from: ledger.quiet_from,
            converged: ledger.converged,
            missing: ledger.missing,
            ended: self.now,
            wishes,
            objects,
            panics: crate::panics::take(),
        };
        Run { observations, trace, shapes }
    }
}
