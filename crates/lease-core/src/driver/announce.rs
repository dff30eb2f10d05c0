//! Events about the Lease, with the same messages as client-go's.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, PostParams};

use super::clock::Clock;
use super::health::Journal;
use super::lease_api::bounded;
use super::resource_lock::ResourceLock;
use crate::identity::Identity;
use crate::name::{LeaderElectionId, LeaseName};
use crate::revision::Revision;

/// The maximum length of the Lease's name in the name of the event, which ends with a dot and 16 hexadecimal digits.
const LONGEST_PART: usize = 253 - 17;

/// Writes the events "… became leader" and "… stopped leading", for `kubectl events --for lease/NAME`.
///
/// Each is a new event and never a patch of an earlier one, so that the order of events stays visible.
#[derive(Clone)]
pub(super) struct Announcer {
    pub(super) client: kube::Client,
    pub(super) lock: ResourceLock,
    pub(super) namespace: String,
    pub(super) id: LeaderElectionId,
    pub(super) identity: Identity,
    pub(super) timeout: Duration,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Announcer {
    /// `what` is "became leader" or "stopped leading". If the event cannot be written, that is only logged.
    pub(super) async fn announce(self, lease: LeaseName, revision: Option<Revision>, what: &'static str) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let event = self.event(&lease, revision, what, self.clock.wall());
        let params = PostParams::default();
        let request = api.create(&params, &event);
        let asked = ("create", "events", self.namespace.as_str());
        let outcome = bounded(&self.journal, self.clock.as_ref(), asked, self.timeout, request).await;
        if let Err(error) = outcome {
            tracing::debug!(
                "the event \"{} {what}\" on {} {lease} was not written: {error}",
                self.identity,
                self.lock.noun()
            );
        }
    }

    fn event(&self, lease: &LeaseName, revision: Option<Revision>, what: &str, at: Timestamp) -> Event {
        let (uid, version) = revision.map(|revision| (revision.uid.0, revision.version.to_string())).unzip();
        Event {
            metadata: ObjectMeta {
                name: Some(format!(
                    "{}.{:x}",
                    &lease.as_str()[..lease.as_str().len().min(LONGEST_PART)],
                    at.as_nanosecond()
                )),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(self.lock.api_version().to_owned()),
                kind: Some(self.lock.kind().to_owned()),
                name: Some(lease.to_string()),
                namespace: Some(self.namespace.clone()),
                uid,
                resource_version: version,
                ..ObjectReference::default()
            },
            type_: Some("Normal".to_owned()),
            reason: Some("LeaderElection".to_owned()),
            message: Some(format!("{} {what}", self.identity)),
            count: Some(1),
            first_timestamp: Some(Time(at)),
            last_timestamp: Some(Time(at)),
            source: Some(EventSource { component: Some(self.id.to_string()), host: None }),
            ..Event::default()
        }
    }
}
