//! The definition of `Memcached` that the API server has.

use kube::CustomResourceExt;
use memcached_operator::crd::Memcached;
use serde_json::{Value, json};

use crate::schedule::{FaultKind, Oddity, Schedule};

/// Where a condition says since when it has been so.
const TRANSITION_TIME: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions/items/properties/lastTransitionTime";

/// This version's definition; or an older one, where somebody will write what only that one lets through. `helm upgrade` leaves the
/// definition as it is, so a new version runs beside an older one until somebody applies it by hand.
pub(super) fn of(schedule: &Schedule) -> Value {
    let mut definition = serde_json::to_value(Memcached::crd()).expect("a definition is plain data");
    let lets_through = |what: &FaultKind| matches!(what, FaultKind::Oddity { what: Oddity::Undecodable, .. });
    if schedule.faults.iter().any(|fault| lets_through(&fault.what)) {
        let time = definition.pointer_mut(TRANSITION_TIME).expect("a condition has a time");
        *time = json!({"type": "string", "format": "date-time"});
    }
    definition
}
