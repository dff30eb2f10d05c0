//! Events on the resource: one for each thing that happened, none for a resync at which nothing did.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use super::FIELD_MANAGER;
use super::apply::Applied;
use super::status::{DEGRADED, condition};
use crate::crd::{Memcached, MemcachedStatus};

/// The longest note that the API server accepts.
const LONGEST_NOTE: usize = 1024;

/// What there is to tell of one reconcile.
pub(super) fn of_reconcile(
    memcached: &Memcached,
    applied: Option<&Applied>,
    status: &MemcachedStatus,
) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(applied) = applied {
        if !applied.created.is_empty() {
            events.push(event(
                EventType::Normal,
                "Created",
                "Apply",
                &format!("Created {}.", applied.created.join(", ")),
            ));
        }
        if !applied.updated.is_empty() {
            let observed = memcached.status.as_ref().and_then(|status| status.observed_generation);
            let drift = observed == memcached.metadata.generation;
            let reason = if drift { "DriftHealed" } else { "Updated" };
            let what = if drift { "Restored" } else { "Updated" };
            events.push(event(
                EventType::Normal,
                reason,
                "Apply",
                &format!("{what} {}.", applied.updated.join(", ")),
            ));
        }
    }
    events.extend(degradation(memcached, status));
    events
}

/// Becoming degraded, for another reason than before, or no longer.
fn degradation(memcached: &Memcached, status: &MemcachedStatus) -> Option<Event> {
    let before = memcached.status.as_ref().and_then(|status| condition(&status.conditions, DEGRADED));
    let now = condition(&status.conditions, DEGRADED)?;
    let was_degraded = before.is_some_and(|before| before.status == "True");
    match now.status == "True" {
        true if before.is_none_or(|before| !was_degraded || before.message != now.message) => {
            Some(event(EventType::Warning, &now.reason, "Reconcile", &now.message))
        }
        false if was_degraded => {
            Some(event(EventType::Normal, "Recovered", "Reconcile", "The resource is no longer degraded."))
        }
        _ => None,
    }
}

/// Publishes; a lost event is no reason to reconcile again, so it is only logged.
pub(super) async fn publish(client: &Client, memcached: &Memcached, replica: &str, events: &[Event]) {
    let instance = Some(replica.to_owned());
    let recorder = Recorder::new(client.clone(), Reporter { controller: FIELD_MANAGER.into(), instance });
    let regarding = memcached.object_ref(&());
    for event in events {
        if let Err(error) = recorder.publish(event, &regarding).await {
            tracing::warn!(reason = event.reason, %error, "could not publish an event");
        }
    }
}

fn event(type_: EventType, reason: &str, action: &str, note: &str) -> Event {
    // The API server counts bytes.
    let mut end = note.len().min(LONGEST_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    let note = note[..end].to_owned();
    Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::status::{Outcome, status};
    use crate::reconcile::testing::memcached;
    use crate::reconcile::validate::Problem;
    use serde_json::json;

    fn reasons(memcached: &Memcached, status: &MemcachedStatus) -> Vec<String> {
        of_reconcile(memcached, None, status).into_iter().map(|event| event.reason).collect()
    }

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        let mut resource = memcached(json!({}));
        let failed = status(&resource, None, &Outcome::Invalid(vec![Problem::ImageAndVersion]), now);
        assert_eq!(reasons(&resource, &failed), ["ValidationFailed"]);
        resource.status = Some(failed.clone());
        assert_eq!(reasons(&resource, &failed), [""; 0]);
        let mended = status(&resource, None, &Outcome::Applied, now);
        assert_eq!(reasons(&resource, &mended), ["Recovered"]);
    }
}
