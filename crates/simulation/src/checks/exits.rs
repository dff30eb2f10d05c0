//! A process ends only when it is told to, is killed, or was stopped for so long that nothing of its work could be stopped
//! in time. And none panics.

use super::Check;
use super::bounds::REACTION;
use super::span::Span;
use crate::observations::{Exit, Observations, ObservedFault, Process};
use crate::schedule::FaultKind;
use crate::time::TrueTime;

/// Panics, and what is logged as an error.
pub(super) fn panics(observations: &Observations) -> Check {
    let mut check = Check::new("panics");
    check.judged = observations.processes.len() as u64;
    for panic in &observations.panics {
        check.violated(None, panic.clone());
    }
    check
}

/// Judges the end of each process that did not run until the end of the run.
pub(super) fn check(observations: &Observations) -> Check {
    let mut check = Check::new("exits");
    for process in &observations.processes {
        let Some((at, exit)) = process.ended else { continue };
        check.judged += 1;
        let legal = match exit {
            Exit::Overrun => was_stopped(process, at, observations),
            _ => observations.faults.iter().any(|fault| explains(fault, process, at, exit)),
        };
        if !legal {
            let what = match exit {
                Exit::Killed => "was killed by no fault",
                Exit::Clean => "stopped without having been told to",
                Exit::Overrun => {
                    "ended itself, although nothing had stopped it for as long as LeaseDuration − RenewDeadline"
                }
                Exit::Unasked => "returned from `run` without having been told to",
            };
            check.violated(at, format!("{} {what}, at {at}.", process.identity));
        }
    }
    check
}

/// Whether this fault is a reason for this end.
fn explains(fault: &ObservedFault, process: &Process, at: TrueTime, exit: Exit) -> bool {
    let slot = process.slot;
    match (exit, &fault.fault.what) {
        (Exit::Killed, FaultKind::Crash(crashed) | FaultKind::Restart(crashed)) => {
            *crashed == slot && fault.from == at
        }
        (Exit::Killed, FaultKind::OtherShards { slot: replaced, .. }) => {
            *replaced == slot && (fault.from == at || fault.to == at)
        }
        // The grace period was over before it had drained.
        (Exit::Killed, FaultKind::Terminate(told)) => *told == slot && fault.to == at,
        (Exit::Clean, FaultKind::Terminate(told)) => {
            *told == slot && fault.from >= process.started && fault.from <= at
        }
        _ => false,
    }
}

/// Whether a process that overran had been stopped for so long that it had to.
///
/// Work is aborted at the end of validity, and has to be gone by LeaseDuration: a process that could act in between does not
/// overrun, so whoever overruns was stopped for all that time, and ends on waking. Stops of which one begins before the
/// process has gone on after another are one.
fn was_stopped(process: &Process, at: TrueTime, observations: &Observations) -> bool {
    let life = Span::new(process.started, at);
    let stops = observations.faults.iter().filter_map(|fault| match &fault.fault.what {
        FaultKind::Pause(slot) | FaultKind::Suspend(slot) if *slot == process.slot => {
            Some(Span::new(fault.from, fault.to).common(life))
        }
        _ => None,
    });
    let ran = life.without(stops.filter(|stop| !stop.is_empty()).collect());
    let margin = observations.schedule.timings.margin().div_f64(process.rate);
    let long = |stop: &Span| stop.length() + REACTION >= margin && at <= stop.to + REACTION;
    life.without(ran).iter().any(long)
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only, passes};
    use super::*;
    use crate::schedule::Slot;

    fn ended(exit: Exit) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).holds("a", 0, 10_000, 100_000);
        run.observations.processes[1].ended = Some((at(50_000), exit));
        run
    }

    #[test]
    fn an_end_needs_a_reason_of_its_kind() {
        let (crash, told) = (FaultKind::Crash(Slot(1)), FaultKind::Terminate(Slot(1)));
        for (exit, reason, from) in [(Exit::Killed, &crash, 50_000), (Exit::Clean, &told, 49_000)] {
            let mut run = ended(exit);
            only(&run, "exits");
            run.fault(reason.clone(), from, 55_000);
            assert_eq!(passes(&run).judged["exits"], 1);
        }
        let mut run = ended(Exit::Unasked);
        run.fault(told, 49_000, 55_000);
        only(&run, "exits");
    }

    #[test]
    fn an_overrun_needs_a_stop_that_was_long_enough() {
        for (slot, from, to, fine) in [
            (1, 40_000, 50_000, true),
            (1, 46_000, 50_000, false),
            (0, 40_000, 50_000, false),
            (1, 30_000, 40_000, false),
        ] {
            let mut run = ended(Exit::Overrun);
            run.fault(FaultKind::Pause(Slot(slot)), from, to);
            if fine { drop(passes(&run)) } else { drop(only(&run, "exits")) }
        }
    }

    #[test]
    fn two_stops_are_one_if_the_process_did_not_run_in_between() {
        for (again, fine) in [(46_000, true), (45_500, true), (46_100, false)] {
            let mut run = ended(Exit::Overrun);
            run.fault(FaultKind::Pause(Slot(1)), 43_000, 46_000);
            run.fault(FaultKind::Suspend(Slot(1)), again, 50_000);
            if fine { drop(passes(&run)) } else { drop(only(&run, "exits")) }
        }
    }

    #[test]
    fn a_panic_is_a_violation() {
        let mut run = ended(Exit::Killed);
        run.fault(FaultKind::Crash(Slot(1)), 50_000, 55_000);
        run.observations.panics.push("b_1 panicked".to_owned());
        only(&run, "panics");
    }
}
