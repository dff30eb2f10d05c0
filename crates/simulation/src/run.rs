//! One schedule, run.

use std::collections::BTreeSet;

use embedded_apiserver::Shape;

use crate::evidence::Evidence;
use crate::panics;
use crate::schedule::Schedule;
use crate::trace::Trace;
use crate::world::World;

/// What a schedule led to.
#[derive(Debug)]
pub struct Run {
    /// For the checkers.
    pub evidence: Evidence,
    /// What happened, line by line.
    pub trace: Trace,
    /// The shapes of all requests that replicas and players made.
    pub shapes: BTreeSet<Shape>,
}

/// Runs a schedule. With `keep_trace` its lines are kept, else only their digest.
///
/// The process has to be sealed for the run to be repeatable; and no second run may go on beside it.
pub fn run(schedule: &Schedule, keep_trace: bool) -> Run {
    panics::watch();
    World::new(schedule, keep_trace).run()
}
