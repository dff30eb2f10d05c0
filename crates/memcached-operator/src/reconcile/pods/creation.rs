//! Why Pods cannot be created: what the StatefulSet controller wrote down of the API server's refusals (quota, LimitRange, Pod
//! Security, admission webhooks). There is no other place that says so.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;

use crate::reconcile::finding::PodFailure;

/// The reason of these events, and of the conditions.
pub(super) const REASON: &str = "FailedCreate";

/// A refusal may come before the servers are told to be not ready, but not by more than that: older ones belong to a wait that is over.
const BEFORE: Duration = Duration::from_secs(30);

/// The latest refusal to create a Pod since shortly before the servers were not ready any more.
pub(super) fn refused(events: &[Event], since: Timestamp) -> Option<PodFailure> {
    let dated = events.iter().filter_map(|event| Some((last_seen(event)?, event)));
    let recent = dated.filter(|(at, _)| *at >= since.checked_sub(BEFORE).unwrap_or(Timestamp::MIN));
    // Of two at the same time always the same one.
    let (_, latest) = recent.max_by_key(|(at, event)| (*at, &event.note))?;
    let note = latest.note.as_deref().unwrap_or_default().trim_end_matches('.');
    // "create Pod web-0 in StatefulSet web failed error: …"
    let why = note.split_once("failed error: ").map_or(note, |(_, why)| why);
    let message = format!("a Pod cannot be created: {why}");
    Some(PodFailure { reason: REASON, message, is_quote: true })
}

/// When it happened last. Which field says so depends on the library that wrote the event.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let times = [
        event.series.as_ref().map(|series| series.last_observed_time.0),
        event.deprecated_last_timestamp.as_ref().map(|time| time.0),
        event.event_time.as_ref().map(|time| time.0),
        event.metadata.creation_timestamp.as_ref().map(|time| time.0),
    ];
    times.into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const QUOTA: &str =
        "create Pod web-0 in StatefulSet web failed error: pods \"web-0\" is forbidden: exceeded quota: none";

    fn event(changes: impl Into<Value>) -> Event {
        let mut event = json!({
            "metadata": {"name": "web.1", "creationTimestamp": "2026-01-02T03:00:00Z"}, "note": QUOTA, "eventTime": null,
        });
        for (field, value) in changes.into().as_object().expect("fields") {
            event[field] = value.clone();
        }
        serde_json::from_value(event).expect("an Event")
    }

    fn refusal(events: &[Event], since: &str) -> Option<String> {
        refused(events, since.parse().expect("a time")).map(|failure| failure.message)
    }

    #[test]
    fn the_api_servers_words_are_passed_on() {
        let told = refusal(&[event(json!({}))], "2026-01-02T03:00:00Z");
        assert_eq!(
            told.as_deref(),
            Some("a Pod cannot be created: pods \"web-0\" is forbidden: exceeded quota: none")
        );
        let other = event(json!({"note": "no longer worded like that."}));
        let told = refusal(&[other], "2026-01-02T03:00:00Z");
        assert_eq!(told.as_deref(), Some("a Pod cannot be created: no longer worded like that"));
    }

    #[test]
    fn a_refusal_of_an_earlier_wait_is_over() {
        let events = [event(json!({}))];
        assert!(refusal(&events, "2026-01-02T03:00:30Z").is_some());
        assert_eq!(refusal(&events, "2026-01-02T03:00:31Z"), None);
        assert_eq!(refusal(&[], "2026-01-02T03:00:00Z"), None);
    }

    #[test]
    fn it_is_as_old_as_its_last_occurrence_whoever_wrote_it() {
        for last in [
            json!({"deprecatedLastTimestamp": "2026-01-02T04:00:00Z"}),
            json!({"eventTime": "2026-01-02T04:00:00.000000Z"}),
            json!({"series": {"count": 2, "lastObservedTime": "2026-01-02T04:00:00.000000Z"}}),
        ] {
            assert!(refusal(&[event(last.clone())], "2026-01-02T04:00:00Z").is_some(), "{last}");
        }
    }

    #[test]
    fn the_latest_one_counts() {
        let older = event(json!({"note": "older"}));
        let newer = event(json!({"note": "newer", "deprecatedLastTimestamp": "2026-01-02T03:00:01Z"}));
        for events in [[older.clone(), newer.clone()], [newer, older]] {
            let told = refusal(&events, "2026-01-02T03:00:00Z");
            assert_eq!(told.as_deref(), Some("a Pod cannot be created: newer"));
        }
    }
}
