//! What replicas and their machines did and suffered.

use overlap_checker::records::{Body, Outcome, Replica, Shard};

use super::focus::Focus;
use crate::observations::{Exit, Observations};
use crate::schedule::Slot;
use crate::time::TrueTime;

/// Whose column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// A replica's.
    Slot(Slot),
    /// Of what affects everyone: the API server, users, people with kubectl.
    World,
}

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) at: TrueTime,
    pub(super) column: Column,
    pub(super) text: String,
}

pub(super) fn all(observations: &Observations, focus: &Focus) -> Vec<Event> {
    let mut events = processes(observations);
    events.extend(faults(observations));
    events.extend(observations.records.iter().filter_map(|record| {
        let column = column_of(observations, Some(&record.replica));
        Some(Event { at: TrueTime::of(record.boot), column, text: of_record(&record.body, focus)? })
    }));
    events
}

/// Where the process ran.
pub(super) fn column_of(observations: &Observations, replica: Option<&Replica>) -> Column {
    let process = observations.processes.iter().find(|process| Some(&process.identity) == replica);
    process.map_or(Column::World, |process| Column::Slot(process.slot))
}

fn processes(observations: &Observations) -> Vec<Event> {
    let mut events = Vec::new();
    for process in &observations.processes {
        let column = Column::Slot(process.slot);
        events.push(Event { at: process.started, column, text: format!("{} starts", process.identity) });
        if let Some((at, exit)) = process.ended {
            let how = match exit {
                Exit::Killed => "is killed",
                Exit::Clean => "has stopped",
                Exit::Overrun => "ends itself: work could not be stopped in time",
                Exit::Unasked => "ends without having been told to",
            };
            events.push(Event { at, column, text: format!("{} {how}", process.identity) });
        }
    }
    events
}

fn faults(observations: &Observations) -> Vec<Event> {
    let mut events = Vec::new();
    for happened in &observations.faults {
        let what = &happened.fault.what;
        let column = what.slot().map_or(Column::World, Column::Slot);
        let lasts = happened.to.since(happened.from);
        if lasts.is_zero() {
            events.push(Event { at: happened.from, column, text: format!("!! {what}") });
        } else {
            events.push(Event { at: happened.from, column, text: format!("!! {what}, for {lasts:.1?}") });
            events.push(Event { at: happened.to, column, text: format!("over: {}", what.name()) });
        }
    }
    events
}

fn of_record(body: &Body, focus: &Focus) -> Option<String> {
    let shown = |lease: &str, shard: &Option<Shard>| focus.shows_hold(lease, *shard);
    match body {
        Body::HoldBegin { lease, shard, token, valid_until, .. } if shown(lease, shard) => {
            let until = valid_until.map(TrueTime::of);
            let until = until.map_or("already over".to_owned(), |until| format!("valid until {until}"));
            Some(format!("+ HOLDS {} (token {token}, {until})", what_is_held(lease, *shard)))
        }
        Body::HoldEnd { lease, shard, token, reason } if shown(lease, shard) => {
            Some(format!("- gives up {} (token {token}): {reason}", what_is_held(lease, *shard)))
        }
        Body::StartReady { shard, objects, .. } if focus.shows_hold("", Some(*shard)) => {
            Some(format!("shard {shard} is listed: {objects} resources"))
        }
        Body::Begin { cr, reconcile, token, .. } if focus.shows_cr(cr) => {
            Some(format!("[ reconcile {reconcile} of {} begins (token {token})", cr.name))
        }
        Body::End { cr, reconcile, outcome } if focus.shows_cr(cr) => {
            let outcome = match outcome {
                Outcome::Ok => "ok",
                Outcome::Error => "error",
                Outcome::Panic => "panic",
                Outcome::Other => "in an unknown way",
            };
            Some(format!("] reconcile {reconcile} of {} ends: {outcome}", cr.name))
        }
        Body::Aborted { cr, reconcile } if focus.shows_cr(cr) => {
            Some(format!("] reconcile {reconcile} of {} is aborted", cr.name))
        }
        _ => None,
    }
}

fn what_is_held(lease: &str, shard: Option<Shard>) -> String {
    shard.map_or_else(|| lease.to_owned(), |shard| format!("shard {shard}"))
}
