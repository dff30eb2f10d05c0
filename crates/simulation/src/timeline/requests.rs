//! What reached the API server.

use std::collections::BTreeMap;

use super::events::{Column, Event, column_of};
use super::focus::Focus;
use crate::observations::{AnswerFate, LeaseState, Observations, ReceivedRequest};

/// Writes to the Leases and to the resources that are looked at.
pub(super) fn all(observations: &Observations, focus: &Focus) -> Vec<Event> {
    let mut events = Vec::new();
    let mut last: BTreeMap<&str, &LeaseState> = BTreeMap::new();
    for state in &observations.leases {
        let before = last.insert(&state.name, state);
        if focus.shows_lease(&state.name) {
            let text = lease_write(state, before);
            events.push(Event { at: state.at, column: column_of(observations, state.by.as_ref()), text });
        }
    }
    for request in &observations.requests {
        if let Some(text) = write(request, focus) {
            let column = column_of(observations, request.by.as_ref());
            events.push(Event { at: request.arrived, column, text });
        }
    }
    events
}

fn lease_write(state: &LeaseState, before: Option<&LeaseState>) -> String {
    let LeaseState { name, version, sent, .. } = state;
    let old = before.and_then(|before| before.spec.as_ref());
    let what = match (&state.spec, old) {
        (None, _) => "is deleted".to_owned(),
        (Some(_), None) => "is created".to_owned(),
        (Some(new), Some(old)) if new.holder == old.holder && new.renewed != old.renewed => {
            "is renewed".to_owned()
        }
        (Some(new), Some(old)) if new.holder == old.holder => "is edited".to_owned(),
        (Some(new), _) if new.holder.is_empty() => "is released".to_owned(),
        (Some(new), _) => format!("is taken by {}", new.holder),
    };
    format!("Lease {name} {what} (version {version}{})", on_its_way(*sent, state.at))
}

/// Refused writes to Leases too: those that were carried out are seen as the state that they led to.
fn write(request: &ReceivedRequest, focus: &Focus) -> Option<String> {
    let path = request.uri.split('?').next().unwrap_or(&request.uri);
    let name = path.rsplit('/').next().unwrap_or(path);
    let refused_by_lease = path.contains("/leases/") && !request.landed && focus.shows_lease(name);
    let of_resource = !path.contains("/leases/") && focus.shows_path(path);
    let is_write = !matches!(request.method.as_str(), "GET" | "HEAD");
    (is_write && (of_resource || refused_by_lease)).then(|| {
        let plural = path.trim_end_matches("/status").rsplit('/').nth(1).unwrap_or_default();
        let part = if path.ends_with("/status") { " status" } else { "" };
        let lost = if request.answer == AnswerFate::Lost { ", answer lost" } else { "" };
        let on_its_way = on_its_way(request.sent, request.arrived);
        format!("{} {plural}{part}: {}{on_its_way}{lost}", request.method, request.code)
    })
}

/// Said only of what was long on its way.
fn on_its_way(sent: crate::time::TrueTime, arrived: crate::time::TrueTime) -> String {
    if arrived.since(sent).as_millis() < 100 { String::new() } else { format!(", sent {sent}") }
}

impl Column {
    /// What stands above it.
    pub(super) fn title(self) -> String {
        match self {
            Self::Slot(slot) => format!("replica {}", slot.0),
            Self::World => "API server, people".to_owned(),
        }
    }
}
