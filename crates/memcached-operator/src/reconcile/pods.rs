//! Why servers are not ready: what their Pods say, and what the API server said to the StatefulSet controller.
//!
//! Pods are not watched. They are listed while the servers are not ready, as seldom as the wait is long, and the wait is read
//! off the condition `Ready`, so that nothing is kept.

mod creation;
mod failure;

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::build::selector;
use super::error::ReconcileError;
use super::finding::Finding;
use super::status::{READY, condition, is_rolled_out};
use crate::crd::Memcached;

/// Servers get that long to become ready before anybody asks why they are not: pulling an image takes some seconds, and a look costs
/// requests when the API server has much to do already.
const GRACE: Duration = Duration::from_secs(20);
/// The longest time between two looks.
const LONGEST: Duration = Duration::from_mins(5);
/// More objects than that are not read: whoever may create Pods could make any number with our label.
const MOST: u32 = 500;

/// What looking at the Pods came to.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// `None` as well if nothing is wrong that can be seen.
    pub(super) finding: Option<Finding>,
    /// When to look again; `None` once the servers are ready.
    pub(super) again: Option<Duration>,
}

/// Looks for the reason why these servers are not ready, if they have not been for long enough.
///
/// # Errors
/// When something could not be read, for another reason than a missing right.
pub(super) async fn look(
    client: &Client,
    memcached: &Memcached,
    servers: &StatefulSet,
    now: Timestamp,
) -> Result<Look, ReconcileError> {
    if is_rolled_out(memcached.spec.replicas, servers) {
        return Ok(Look::default());
    }
    let since = not_ready_since(memcached);
    let waited = since.map_or(Duration::ZERO, |since| elapsed(since, now));
    let again = Some(pause(waited));
    let Some(since) = since.filter(|_| waited >= GRACE) else { return Ok(Look { finding: None, again }) };
    let finding = find(client, memcached, servers, since).await?;
    Ok(Look { finding, again })
}

async fn find(
    client: &Client,
    memcached: &Memcached,
    servers: &StatefulSet,
    since: Timestamp,
) -> Result<Option<Finding>, ReconcileError> {
    let uid = servers.metadata.uid.as_deref().unwrap_or_default();
    let name = memcached.metadata.name.as_deref().unwrap_or_default();
    let labels = selector(name).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
    let of_servers = ListParams::default().labels(&labels.join(","));
    let mut forbidden = None;
    match list::<Pod>(client, memcached, of_servers).await? {
        Ok(pods) => {
            if let Some(failure) = failure::of_pods(&pods, uid) {
                return Ok(Some(Finding::Failure(failure)));
            }
        }
        Err(answer) => forbidden = Some(answer),
    }
    // Only what is not there can have failed to be created.
    let created = servers.status.as_ref().map_or(0, |status| status.replicas);
    if created < memcached.spec.replicas {
        let refusals =
            ListParams::default().fields(&format!("regarding.uid={uid},reason={}", creation::REASON));
        match list::<Event>(client, memcached, refusals).await? {
            Ok(events) => {
                if let Some(failure) = creation::refused(&events, since) {
                    return Ok(Some(Finding::Failure(failure)));
                }
            }
            Err(answer) => forbidden = forbidden.or(Some(answer)),
        }
    }
    Ok(forbidden.map(Finding::Forbidden))
}

/// The first objects that are selected, or what the API server said if the operator may not list them.
async fn list<K>(
    client: &Client,
    memcached: &Memcached,
    params: ListParams,
) -> Result<Result<Vec<K>, String>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let namespace = memcached.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    match api.list(&params.limit(MOST)).await {
        Ok(found) => Ok(Ok(found.items)),
        Err(kube::Error::Api(answer)) if answer.code == 403 => Ok(Err(answer.message.clone())),
        Err(source) => {
            let name = memcached.metadata.name.as_deref().unwrap_or_default();
            let object = format!("{} of Memcached {name}", K::plural(&()));
            Err(ReconcileError::Read { object, source })
        }
    }
}

/// Since when it has been told that the servers are not ready.
fn not_ready_since(memcached: &Memcached) -> Option<Timestamp> {
    let status = memcached.status.as_ref()?;
    let ready = condition(&status.conditions, READY).filter(|ready| ready.status == "False")?;
    Some(ready.last_transition_time.0)
}

/// Nothing, where the replica that wrote the time has a clock that is ahead.
fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// How long to leave servers alone that have not been ready for `waited`.
fn pause(waited: Duration) -> Duration {
    (waited / 2).clamp(GRACE, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::memcached;
    use serde_json::json;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn looks_become_rarer_as_the_wait_grows_and_never_end() {
        let pause = |seconds| pause(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 10, 20, 30, 60, 600, 100_000].map(pause), [20, 20, 20, 20, 30, 300, 300]);
    }

    #[test]
    fn the_wait_is_read_off_the_condition() {
        let mut resource = memcached(json!({}));
        assert_eq!(not_ready_since(&resource), None, "nothing is told yet");
        for (status, expected) in
            [("False", Some(time("2026-01-02T03:04:05Z"))), ("True", None), ("Unknown", None)]
        {
            let ready = json!({"type": "Ready", "status": status, "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z"});
            let status = json!({"replicas": 0, "readyReplicas": 0, "conditions": [ready]});
            resource.status = serde_json::from_value(status).expect("a status");
            assert_eq!(not_ready_since(&resource), expected);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_delays_the_look() {
        let since = time("2026-01-02T03:04:05Z");
        assert_eq!(elapsed(since, time("2026-01-02T03:04:17Z")), Duration::from_secs(12));
        assert_eq!(elapsed(since, time("2026-01-02T03:04:00Z")), Duration::ZERO);
    }
}
