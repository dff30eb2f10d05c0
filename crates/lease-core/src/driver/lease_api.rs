//! Requests about Leases, each with a timeout and without hidden retries.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};

use super::clock::Clock;
use super::health::Journal;
use super::request_error::{RequestError, meaning};
use super::resource_lock::ResourceLock;
use super::wire::{ElectionKeys, LockFormat, LockObject};
use crate::name::LeaseName;
use crate::revision::Revision;

/// An API for the Leases of one namespace, which are read without `managedFields`. With a legacy lock ([`ResourceLock`]), a Lease stands for the ConfigMap or the
/// Endpoints with its name. Reads are consistent. A request takes at most
/// [`Timings::request_timeout`](crate::Timings::request_timeout).
#[derive(Clone, Debug)]
pub struct LeaseApi {
    api: Api<LockObject>,
    format: LockFormat,
    namespace: String,
    timeout: Duration,
    election_keys: ElectionKeys,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
}

impl LeaseApi {
    pub(super) fn new(
        client: kube::Client,
        format: LockFormat,
        namespace: &str,
        timeout: Duration,
        election_keys: ElectionKeys,
        journal: Arc<Journal>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let api = Api::namespaced_with(client, namespace, &format.lock());
        Self { api, format, namespace: namespace.to_owned(), timeout, election_keys, journal, clock }
    }

    /// Reads one Lease; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// If the API server refused the request, or did not answer in time.
    pub async fn get(&self, name: &LeaseName) -> Result<Option<Lease>, RequestError> {
        match self.bounded("get", self.api.get(name.as_str())).await {
            Ok(object) => Ok(Some(self.format.decode(object))),
            Err(RequestError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the Leases of this operator.
    ///
    /// # Errors
    ///
    /// If the API server refused the request, or did not answer in time.
    pub async fn list(&self) -> Result<Vec<Lease>, RequestError> {
        let params = self.election_keys.selector().list();
        let objects = self.bounded("list", self.api.list(&params)).await?;
        Ok(objects.into_iter().map(|object| self.format.decode(object)).collect())
    }

    /// Creates a Lease with the labels and annotations of this operator.
    ///
    /// # Errors
    ///
    /// [`RequestError::Conflict`] if a Lease of this name exists. Otherwise the API server refused the request, or did not answer in time; then it is
    /// unknown whether the Lease was created.
    pub async fn create(&self, mut lease: Lease) -> Result<Lease, RequestError> {
        self.election_keys.put_on(&mut lease);
        let object = self.encode(lease)?;
        let created = self.bounded("create", self.api.create(&PostParams::default(), &object)).await;
        created.map(|object| self.format.decode(object))
    }

    /// Replaces a Lease if it still has the uid and resourceVersion in `lease.metadata`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Conflict`] if it has changed, [`RequestError::NotFound`] if it does not exist. Otherwise the API server refused the request, or did not
    /// answer in time; then it is unknown whether the Lease was replaced.
    pub async fn update(&self, lease: &Lease) -> Result<Lease, RequestError> {
        let object = self.encode(lease.clone())?;
        let name = lease.metadata.name.as_deref().unwrap_or_default();
        let updated = self.bounded("update", self.api.replace(name, &PostParams::default(), &object)).await;
        updated.map(|object| self.format.decode(object))
    }

    /// Deletes a Lease if it is still in this state.
    ///
    /// # Errors
    ///
    /// [`RequestError::Conflict`] if it has changed, [`RequestError::NotFound`] if it does not exist. Otherwise the API server refused the request, or did not
    /// answer in time; then it is unknown whether the Lease was deleted.
    pub async fn delete(&self, name: &LeaseName, revision: &Revision) -> Result<(), RequestError> {
        let preconditions = Preconditions {
            uid: Some(revision.uid.0.clone()),
            resource_version: Some(revision.version.to_string()),
        };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        self.bounded("delete", self.api.delete(name.as_str(), &params)).await.map(drop)
    }

    /// The namespace of the Leases.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The kind of the objects.
    pub(super) fn lock(&self) -> ResourceLock {
        self.format.lock()
    }

    pub(super) fn kube(&self) -> &Api<LockObject> {
        &self.api
    }

    /// What the watch has shown, as a Lease.
    pub(super) fn decode(&self, object: LockObject) -> Lease {
        self.format.decode(object)
    }

    /// The object to send for a Lease.
    pub(super) fn encode(&self, lease: Lease) -> Result<LockObject, RequestError> {
        // The API server would refuse it, as the object has changed since.
        self.format.encode(lease).ok_or(RequestError::Conflict)
    }

    pub(super) async fn bounded<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, RequestError> {
        let asked = (verb, self.lock().resource(), self.namespace.as_str());
        bounded(&self.journal, self.clock.as_ref(), asked, self.timeout, request).await
    }
}

/// Waits for an answer, no longer than the timeout, and records the result.
pub(super) async fn bounded<T>(
    journal: &Journal,
    clock: &dyn Clock,
    (verb, resource, namespace): (&'static str, &'static str, &str),
    timeout: Duration,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, RequestError> {
    let outcome = tokio::select! {
        answer = request => answer.map_err(meaning),
        () = clock.sleep(timeout) => Err(RequestError::Unknown(format!("no answer within {timeout:?}"))),
    };
    journal.note(verb, resource, namespace, &outcome, clock.now().monotonic);
    outcome
}
