//! What happened around a violation, for people: one column per replica, one row per instant.

mod events;
mod focus;
mod requests;
mod sheet;

use crate::evidence::Evidence;
use crate::outcome::Violation;
use events::Column;
use focus::Focus;
use sheet::Sheet;

/// Shows what led to a violation, or the end of the run if there is none: holds, reconciles and writes of the resource and the Lease
/// that the violation's sentence names, faults, and the starts and ends of processes. All times are true time.
pub fn timeline(evidence: &Evidence, violation: Option<&Violation>) -> String {
    let focus = Focus::of(evidence, violation);
    let mut sheet = Sheet::new(evidence, &focus);
    for event in events::all(evidence, &focus).into_iter().chain(requests::all(evidence, &focus)) {
        if focus.shows(event.at) {
            sheet.add(event);
        }
    }
    if let (Some(violation), Some(at)) = (violation, focus.violated_at) {
        sheet.add(events::Event { at, column: Column::World, text: format!("◀ {}", violation.checker) });
    }
    sheet.to_string()
}

#[cfg(test)]
mod tests;
