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
        if self.run_log.converged.is_some() {
            self.run_log.missing.clear();
        }
        let desired = self.actors.desired();
        let mut processes = Vec::new();
        let mut records = Vec::new();
        for process in self.processes {
            records.extend(process.records());
            processes.push(process.conclude());
        }
        records.sort_by_key(|record: &overlap_checker::records::Record| record.boot);
        // The process is about to end, and an API server that ran for hours has much to take down.
        std::mem::forget(self.api);
        let run_log = self.run_log;
        let trace = run_log.trace;
        let observations = Observations {
            schedule: self.schedule,
            processes,
            records,
            requests: run_log.requests,
            leases: run_log.leases,
            children: run_log.children,
            faults: run_log.faults,
            restores: run_log.restores,
            quiet_from: run_log.quiet_from,
            converged: run_log.converged,
            missing: run_log.missing,
            ended: self.now,
            desired,
            profiles: self.actors.profiles,
            objects,
            panics: crate::panics::take(),
        };
        Run { observations, trace, shapes }
    }
}
