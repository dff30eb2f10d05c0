//! When each process was fit to take a Lease: running, not told to stop, and with no fault upon it.

use std::time::Duration;

use std::collections::BTreeMap;

use super::bounds::Bounds;
use super::span::Span;
use crate::observations::{Exit, Observations, ObservedFault, Process};
use crate::schedule::{ApiFailure, FaultKind, Slot};
use crate::time::TrueTime;

/// The spans during which each process was fit, in order.
pub(super) struct Eligibility<'a>(BTreeMap<&'a str, Able<'a>>);

struct Able<'a> {
    process: &'a Process,
    spans: Vec<Span>,
    /// When a fault was upon it, or it had not recovered from one.
    hindered: Vec<Span>,
}

impl<'a> Eligibility<'a> {
    pub(super) fn of(observations: &'a Observations, bounds: &Bounds) -> Self {
        let able = |process| {
            let hindered = hindered(process, observations, bounds);
            Able { process, spans: spans(process, &hindered, observations, bounds), hindered }
        };
        let processes = observations.processes.iter();
        Self(processes.map(|process| (process.identity.0.as_str(), able(process))).collect())
    }

    /// Every process with the spans during which it was fit.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a Process, &[Span])> {
        self.0.values().map(|able| (able.process, able.spans.as_slice()))
    }

    /// Whether no fault hindered it throughout, and it had not been told to stop. Its start is no fault.
    pub(super) fn unhindered(&self, process: &Process, span: Span, observations: &Observations) -> bool {
        let able = self.0.get(process.identity.0.as_str());
        span.to <= stopped(process, observations)
            && able.is_some_and(|able| !able.hindered.iter().any(|fault| fault.overlaps(span)))
    }

    /// Whether it was fit throughout.
    pub(super) fn throughout(&self, identity: &str, span: Span) -> bool {
        self.0.get(identity).is_some_and(|able| able.spans.iter().any(|fit| fit.contains(span)))
    }
}

/// Whom a fault keeps from doing its part.
enum Whom {
    Nobody,
    Everybody,
    One(Slot),
}

/// A crash shows in the processes themselves; what people do to Leases and labels, and to wall clocks, keeps nobody
/// from anything.
fn whom(fault: &FaultKind) -> Whom {
    match fault {
        FaultKind::Pause(slot)
        | FaultKind::Suspend(slot)
        | FaultKind::HangWatches(slot)
        | FaultKind::TearWatches(slot)
        | FaultKind::Partition { slot, .. }
        | FaultKind::OtherShards { slot, .. }
        | FaultKind::Slow { slot, .. }
        | FaultKind::LoseRequests { slot, .. }
        | FaultKind::LoseAnswers { slot, .. }
        | FaultKind::BreakConnections { slot, .. }
        | FaultKind::DeadConnections { slot, .. }
        | FaultKind::LagWatches { slot, .. }
        // Who may not list Leases is late; who may not list the resources may leave a shard to others who can.
        | FaultKind::FailingList { slot, .. } => Whom::One(*slot),
        FaultKind::Api { .. } | FaultKind::ApiDown | FaultKind::Restore { .. } | FaultKind::Compact => Whom::Everybody,
        FaultKind::Crash(_)
        | FaultKind::Restart(_)
        | FaultKind::Terminate(_)
        | FaultKind::WallJump { .. }
        | FaultKind::ChangeLease { .. }
        | FaultKind::Label { .. }
        | FaultKind::Unsharded { .. }
        | FaultKind::WantedShards(_)
        | FaultKind::Children { .. }
        | FaultKind::Dispute { .. }
        | FaultKind::StripFinalizer { .. }
        | FaultKind::Oddity { .. } => Whom::Nobody,
    }
}

/// When a fault was upon it, and until it had recovered.
fn hindered(process: &Process, observations: &Observations, bounds: &Bounds) -> Vec<Span> {
    let recovery = bounds.recovery(process.rate);
    let mut hindered: Vec<Span> = Vec::new();
    for fault in &observations.faults {
        let hits = match whom(&fault.fault.what) {
            Whom::Nobody => false,
            Whom::Everybody => true,
            Whom::One(slot) => slot == process.slot,
        };
        if hits {
            hindered.push(Span::new(fault.from, fault.to + recovery + pause_after(fault, process, bounds)));
        }
    }
    hindered
}

fn spans(process: &Process, hindered: &[Span], observations: &Observations, bounds: &Bounds) -> Vec<Span> {
    let running = Span::new(process.started, stopped(process, observations));
    let starting = Span::new(process.started, process.started + bounds.recovery(process.rate));
    let is_hindered = hindered.iter().any(|fault| fault.overlaps(starting));
    let without_list = if is_hindered { bounds.start_without_list(process.rate) } else { Duration::ZERO };
    let mut unfit = hindered.to_vec();
    unfit.push(Span::new(starting.from, starting.to + without_list));
    running.without(unfit)
}

/// What the API server asked for itself, and how long a restore keeps everyone waiting.
fn pause_after(fault: &ObservedFault, process: &Process, bounds: &Bounds) -> std::time::Duration {
    match fault.fault.what {
        FaultKind::Api { failure: ApiFailure::TooManyRequests, .. } => bounds.retry_after_limit(process.rate),
        FaultKind::Restore { .. } => bounds.begun_anew(process.rate),
        _ => std::time::Duration::ZERO,
    }
}

/// When it ended, or was told to: from then on it contends for nothing.
fn stopped(process: &Process, observations: &Observations) -> TrueTime {
    let ended = process.ended.map_or(observations.ended, |(at, _)| at);
    let told = observations.faults.iter().filter(|fault| {
        matches!(fault.fault.what, FaultKind::Terminate(slot) if slot == process.slot)
            && fault.from >= process.started
    });
    told.map(|fault| fault.from).chain([ended]).min().unwrap_or(ended)
}

/// When a process stopped acting on a hold that is valid until then: at the latest when it ended, was paused or
/// suspended. A pause that it woke from in time took nothing from it.
pub(super) fn taken_out(
    process: &Process,
    valid_until: TrueTime,
    observations: &Observations,
) -> Option<TrueTime> {
    let ended =
        process.ended.filter(|(at, exit)| *exit != Exit::Clean && *at < valid_until).map(|(at, _)| at);
    let stops = observations.faults.iter().filter(|fault| {
        matches!(fault.fault.what, FaultKind::Pause(slot) | FaultKind::Suspend(slot) if slot == process.slot)
            && (fault.from..fault.to).contains(&valid_until)
    });
    stops.map(|fault| fault.from.max(process.started)).chain(ended).min()
}
