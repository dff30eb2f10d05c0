//! What the faults of the test itself excuse: those that lie outside of what is promised.

use std::time::Duration;

use overlap_checker::records::Stamp;
use overlap_checker::{Interval, Timeline, Violation};

use crate::fault_schedule::FaultKind;
use crate::injection::{InjectedFault, Injection};
use crate::settings::UNOWNED_BOUND;

/// Until when a process that goes on after a stop may still send what it had checked before.
const WAKING: Duration = Duration::from_secs(1);

/// Times at which the API server did not answer, and times at which a Pod's process stood still.
pub(crate) struct Excuses {
    outages: Vec<Interval>,
    stops: Vec<(String, Interval)>,
}

impl Excuses {
    pub(crate) fn new(timeline: &Timeline, injection: &Injection, slow: &[(Stamp, Stamp)]) -> Self {
        let interval = |fault: &InjectedFault| {
            let over = timeline.clock.of_stamp(fault.over.as_ref()?)?;
            Some(Interval::new(timeline.clock.of_stamp(&fault.at)?, over))
        };
        let on_clock = |(from, to): &(Stamp, Stamp)| {
            Some(Interval::new(timeline.clock.of_stamp(from)?, timeline.clock.of_stamp(to)?))
        };
        let slow = slow.iter().filter_map(on_clock);
        let of = |kind| injection.injected.iter().filter(move |fault| fault.kind == kind);
        let stop = |fault: &InjectedFault| Some((fault.pod.clone()?, interval(fault)?));
        Self {
            outages: of(FaultKind::RestartApi).filter_map(interval).chain(slow).collect(),
            stops: of(FaultKind::Freeze).filter_map(stop).collect(),
        }
    }

    /// The bound assumes an API server that answers: a gap that lasted into a time without answers is measured from the moment that it
    /// answers again. One that is longer than the bound and ends within the bound after that moment began before it.
    pub(crate) fn outage(&self, unowned: &Violation) -> bool {
        let Some(next) = unowned.second else { return false };
        let in_time =
            |outage: &Interval| outage.from < next.from && next.from.since(outage.to) <= UNOWNED_BOUND;
        self.outages.iter().any(in_time)
    }

    /// A write of a hold that ended while its process stood still, received just after the process went on.
    pub(crate) fn waking(&self, write: &Violation) -> bool {
        let (Some(writer), Some(hold)) = (write.replicas.first(), write.first) else { return false };
        let received = hold.to.plus(write.by);
        let waking = |(pod, stop): &(String, Interval)| {
            writer.pod() == pod
                && stop.contains(hold.to, Duration::ZERO)
                && Interval::new(stop.to, stop.to.plus(WAKING)).contains(received, Duration::ZERO)
        };
        self.stops.iter().any(waking)
    }
}
