//! What happened around a violation, for people: one column per replica, one row per instant.

mod events;
mod focus;
mod requests;
mod sheet;

use crate::observations::Observations;
use crate::run_report::Violation;
use events::Column;
use focus::Focus;
use sheet::Sheet;

/// Shows what led to a violation, or the end of the run if there is none: holds, reconciles and writes of the resource and the Lease
/// that the violation's sentence names, faults, and the starts and ends of processes. All times are true time.
pub fn timeline(observations: &Observations, violation: Option<&Violation>) -> String {
    let focus = Focus::of(observations, violation);
    let mut sheet = Sheet::new(observations, &focus);
    for event in events::all(observations, &focus).into_iter().chain(requests::all(observations, &focus)) {
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
