//! One schedule, run.

use crate::panics;
use crate::schedule::Schedule;
use crate::world::World;

pub use crate::world::Run;

/// Runs a schedule. With `keep_trace` its lines are kept, else only their digest.
///
/// The process has to be sealed for the run to be repeatable; and no second run may go on beside it.
pub fn run(schedule: &Schedule, keep_trace: bool) -> Run {
    panics::watch();
    World::new(schedule, keep_trace).run()
}
