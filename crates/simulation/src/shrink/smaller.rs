//! Ways to make a schedule smaller. Each leaves a schedule that is as valid as the one before.

use std::time::Duration;

use crate::schedule::{Fault, FaultKind, LeaseOf, Schedule, Slot, Span};
use crate::time::TrueTime;

/// Something smaller, unless it cannot be any smaller in this way.
pub(super) type Step = fn(&Schedule) -> Option<Schedule>;

/// What can be repeated as long as it leads anywhere.
pub(super) const STEPS: [Step; 9] = [
    no_longer_than_needed,
    half_the_time,
    half_the_shards,
    half_the_resources,
    no_profiles,
    good_clocks,
    all_at_once,
    good_network,
    prompt,
];

/// What consists of many things.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Faults,
    Edits,
}

impl List {
    pub(super) fn len(self, schedule: &Schedule) -> usize {
        match self {
            Self::Faults => schedule.faults.len(),
            Self::Edits => schedule.edits.len(),
        }
    }

    /// Without so many of them.
    pub(super) fn without(self, schedule: &Schedule, from: usize, count: usize) -> Schedule {
        let mut fewer = schedule.clone();
        let to = self.len(schedule).min(from + count);
        match self {
            Self::Faults => drop(fewer.faults.drain(from..to)),
            Self::Edits => drop(fewer.edits.drain(from..to)),
        }
        fewer
    }
}

/// Without this replica; those behind it move up.
pub(super) fn without_slot(schedule: &Schedule, slot: usize) -> Option<Schedule> {
    if schedule.replicas.len() < 2 {
        return None;
    }
    let mut fewer = schedule.clone();
    fewer.replicas.remove(slot);
    fewer.faults.retain(|fault| fault.what.slot() != Some(Slot(slot)));
    for moved in fewer.faults.iter_mut().filter_map(|fault| fault.what.slot_mut()) {
        if moved.0 > slot {
            moved.0 -= 1;
        }
    }
    Some(fewer)
}

/// Until the last thing has been done, and one second.
fn no_longer_than_needed(schedule: &Schedule) -> Option<Schedule> {
    let faults = schedule.faults.iter().map(|fault| fault.at + fault.lasts);
    let edits = schedule.edits.iter().map(|edit| edit.at);
    let starts = schedule.replicas.iter().map(|replica| replica.starts);
    let last = faults.chain(edits).chain(starts).max()?.since_start() + Duration::from_secs(1);
    (last < schedule.busy_for).then(|| Schedule { busy_for: last, ..schedule.clone() })
}

/// Without its second half.
fn half_the_time(schedule: &Schedule) -> Option<Schedule> {
    let busy_for = schedule.busy_for / 2;
    if busy_for < Duration::from_secs(1) {
        return None;
    }
    let mut shorter = Schedule { busy_for, ..schedule.clone() };
    // A restore that is cut short would break what is assumed of one.
    let fits = |fault: &Fault| match fault.what {
        FaultKind::Restore { .. } => fault.at.since_start() + fault.lasts <= busy_for,
        _ => fault.at.since_start() < busy_for,
    };
    shorter.faults.retain(fits);
    for fault in &mut shorter.faults {
        fault.lasts = fault.lasts.min(busy_for.saturating_sub(fault.at.since_start()));
    }
    shorter.edits.retain(|edit| edit.at.since_start() < busy_for);
    for replica in &mut shorter.replicas {
        replica.starts = replica.starts.min(TrueTime::after_start(busy_for));
    }
    Some(shorter)
}

fn half_the_shards(schedule: &Schedule) -> Option<Schedule> {
    let shards = schedule.shards / 2;
    let is_left = |what: &FaultKind| !matches!(what, FaultKind::ChangeLease { lease: LeaseOf::Shard(shard), .. } if *shard >= shards);
    (shards > 0).then(|| {
        let mut fewer = Schedule { shards, ..schedule.clone() };
        fewer.faults.retain(|fault| is_left(&fault.what));
        fewer
    })
}

/// Edits stay as they are: what is to be scaled and is not there is left alone.
fn half_the_resources(schedule: &Schedule) -> Option<Schedule> {
    let resources = schedule.resources / 2;
    (resources > 0).then(|| Schedule { resources, ..schedule.clone() })
}

fn no_profiles(schedule: &Schedule) -> Option<Schedule> {
    (schedule.profiles > 0).then(|| Schedule { profiles: 0, ..schedule.clone() })
}

fn good_clocks(schedule: &Schedule) -> Option<Schedule> {
    let mut better = schedule.clone();
    for replica in &mut better.replicas {
        replica.drift_ppm = 0;
        replica.wall_offset_ms = 0;
    }
    (better != *schedule).then_some(better)
}

fn all_at_once(schedule: &Schedule) -> Option<Schedule> {
    let mut at_once = schedule.clone();
    for replica in &mut at_once.replicas {
        replica.starts = TrueTime::START;
    }
    (at_once != *schedule).then_some(at_once)
}

/// Every message takes the same.
fn good_network(schedule: &Schedule) -> Option<Schedule> {
    let least = schedule.network.latency.min;
    let span = Span { min: least, max: least };
    let mut better = schedule.clone();
    better.network.latency = span;
    better.network.straggler = span;
    (better != *schedule).then_some(better)
}

fn prompt(schedule: &Schedule) -> Option<Schedule> {
    let reconcile = Span { min: Duration::ZERO, max: schedule.reconcile.max / 4 };
    (schedule.reconcile.max > Duration::from_millis(50)).then(|| Schedule { reconcile, ..schedule.clone() })
}
