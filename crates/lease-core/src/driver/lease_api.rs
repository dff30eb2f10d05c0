//! Requests about Leases, each with a timeout and without hidden retries.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions};

use super::clock::Clock;
use super::health::Journal;
use super::request_error::{RequestError, meaning};
use super::wire::{ElectionKeys, LeanLease};
use crate::name::LeaseName;
use crate::revision::Revision;

pub(super) const LEASES: &str = "leases.coordination.k8s.io";

/// An API for the Leases of one namespace, which are read without `managedFields`. Reads are consistent. A request takes at most
/// [`Timings::request_timeout`](crate::Timings::request_timeout).
#[derive(Clone, Debug)]
pub struct LeaseApi {
    api: Api<LeanLease>,
    namespace: String,
    timeout: Duration,
    election_keys: ElectionKeys,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
}

impl LeaseApi {
    pub(super) fn new(
        client: kube::Client,
        namespace: &str,
        timeout: Duration,
        election_keys: ElectionKeys,
        journal: Arc<Journal>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, namespace: namespace.to_owned(), timeout, election_keys, journal, clock }
    }

    /// Reads one Lease; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// If the API server refused the request, or did not answer in time.
    pub async fn get(&self, name: &LeaseName) -> Result<Option<Lease>, RequestError> {
        match self.bounded("get", self.api.get(name.as_str())).await {
            Ok(LeanLease(lease)) => Ok(Some(lease)),
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
        let params = ListParams::default().labels(&self.election_keys.selector());
        let leases = self.bounded("list", self.api.list(&params)).await?;
        Ok(leases.into_iter().map(|LeanLease(lease)| lease).collect())
    }

    /// Creates a Lease with the labels and annotations of this operator.
    ///
    /// # Errors
    ///
    /// [`RequestError::Conflict`] if a Lease of this name exists. Otherwise the API server refused the request, or did not answer in time; then it is
    /// unknown whether the Lease was created.
    pub async fn create(&self, mut lease: Lease) -> Result<Lease, RequestError> {
        self.election_keys.put_on(&mut lease);
        let lease = LeanLease(lease);
        self.bounded("create", self.api.create(&PostParams::default(), &lease))
            .await
            .map(|LeanLease(lease)| lease)
    }

    /// Replaces a Lease if it still has the uid and resourceVersion in `lease.metadata`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Conflict`] if it has changed, [`RequestError::NotFound`] if it does not exist. Otherwise the API server refused the request, or did not
    /// answer in time; then it is unknown whether the Lease was replaced.
    pub async fn update(&self, lease: &Lease) -> Result<Lease, RequestError> {
        let lease = LeanLease(lease.clone());
        let name = lease.0.metadata.name.as_deref().unwrap_or_default();
        let params = PostParams::default();
        let updated = self.bounded("update", self.api.replace(name, &params, &lease)).await;
        updated.map(|LeanLease(lease)| lease)
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

    pub(super) fn kube(&self) -> &Api<LeanLease> {
        &self.api
    }

    pub(super) async fn bounded<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, RequestError> {
        bounded(&self.journal, self.clock.as_ref(), (verb, LEASES, &self.namespace), self.timeout, request)
            .await
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
