//! Events about the resource: one for each change, none for a resync without a change.

mod series;

use k8s_openapi::api::events::v1::{Event as K8sEvent, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource};
use lease_core::Clock;
use parking_lot::Mutex;
use shard_router::Dispute;

use super::FIELD_MANAGER;
use super::apply::Applied;
use super::status::{DEGRADED, condition};
use crate::crd::{Memcached, MemcachedStatus};

pub(super) use series::Published;

/// The longest note that the API server accepts.
const LONGEST_NOTE: usize = 1024;

/// The events of one reconcile.
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
            let note = format!("Updated {}.", applied.updated.join(", "));
            events.push(event(EventType::Normal, "Updated", "Apply", &note));
        }
        // One for each child, so that each counts up by itself.
        for restored in &applied.restored {
            let note =
                format!("Restored {restored}. After repeated changes it is restored at growing intervals.");
            events.push(event(EventType::Normal, "DriftHealed", "Apply", &note));
        }
        for child in &applied.recreated {
            let note = format!(
                "Created {child} again. After repeated deletions it is created again at growing intervals."
            );
            events.push(event(EventType::Normal, "DriftHealed", "Apply", &note));
        }
        for dispute in &applied.admitted {
            events.push(event(EventType::Warning, dispute.reason(), "Apply", &dispute.summary()));
        }
    }
    events.extend(degradation(memcached, applied, status));
    events
}

/// Becoming degraded, for another reason than before, or no longer.
fn degradation(memcached: &Memcached, applied: Option<&Applied>, status: &MemcachedStatus) -> Option<Event> {
    let before = memcached.status.as_ref().and_then(|status| condition(&status.conditions, DEGRADED));
    let now = condition(&status.conditions, DEGRADED)?;
    let was_degraded = before.is_some_and(|before| before.status == "True");
    let is_same_reason = was_degraded && before.is_some_and(|before| before.reason == now.reason);
    match now.status == "True" {
        // Told at each write.
        true if now.reason == Dispute::BY_ADMISSION => None,
        // The message has times in it that move with each mending; the event must not become another one by that.
        true if now.reason == Dispute::BY_OTHERS => {
            let disputes = applied.map_or(&[][..], |applied| &applied.disputes);
            let note = disputes.iter().map(Dispute::summary).collect::<Vec<_>>().join(" ");
            (!is_same_reason).then(|| event(EventType::Warning, Dispute::BY_OTHERS, "Apply", &note))
        }
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
pub(super) async fn publish(
    client: &Client,
    memcached: &Memcached,
    replica: &str,
    events: &[Event],
    published: &Mutex<Published>,
    clock: &dyn Clock,
) {
    let namespace = memcached.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<K8sEvent> = Api::namespaced(client.clone(), namespace);
    for (nth, event) in (0_i128..).zip(events) {
        if let Err(error) = publish_one(&api, memcached, replica, (nth, event), published, clock).await {
            tracing::warn!(reason = event.reason, %error, "could not publish an event");
        }
    }
}

async fn publish_one(
    api: &Api<K8sEvent>,
    memcached: &Memcached,
    replica: &str,
    (nth, event): (i128, &Event),
    published: &Mutex<Published>,
    clock: &dyn Clock,
) -> Result<(), kube::Error> {
    let cache = || published.lock();
    let now = clock.now().boottime;
    let time = MicroTime(clock.wall());
    let uid = memcached.metadata.uid.clone().unwrap_or_default();
    let note = event.note.clone().unwrap_or_default();
    let key = [uid, type_(event.type_).to_owned(), event.reason.clone(), event.action.clone(), note];
    let again = cache().again(&key, now);
    if let Some((name, count)) = again {
        let series = EventSeries { count, last_observed_time: time.clone() };
        let patch = Patch::Merge(serde_json::json!({ "series": series }));
        match api.patch(&name, &PatchParams::default(), &patch).await {
            // It has expired, or somebody removed it: create a new one.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            result => return result.map(drop),
        }
    }
    let regarding = memcached.object_ref(&());
    let object = regarding.name.as_deref().unwrap_or(FIELD_MANAGER);
    let name = format!("{object}.{:x}", time.0.as_nanosecond() + nth);
    let new = K8sEvent {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(type_(event.type_).to_owned()),
        reason: Some(event.reason.clone()),
        action: Some(event.action.clone()),
        note: event.note.clone(),
        event_time: Some(time),
        regarding: Some(regarding),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(replica.to_owned()),
        ..K8sEvent::default()
    };
    api.create(&PostParams::default(), &new).await?;
    cache().created(key, name, now);
    Ok(())
}

fn type_(event: EventType) -> &'static str {
    match event {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
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
    use crate::reconcile::status::{ReportedState, status};
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
        let failed = status(&resource, None, &ReportedState::Invalid(vec![Problem::ImageAndVersion]), now);
        assert_eq!(reasons(&resource, &failed), ["ValidationFailed"]);
        resource.status = Some(failed.clone());
        assert_eq!(reasons(&resource, &failed), [""; 0]);
        let mended = status(&resource, None, &ReportedState::Applied, now);
        assert_eq!(reasons(&resource, &mended), ["Recovered"]);
    }
}
