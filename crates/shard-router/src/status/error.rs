//! Why there is no status.

use std::time::Duration;

use lease_core::missing_right;

use crate::observability::sentence::of_request;

/// Why there is no status. Each is a sentence that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// No Lease in the namespace belongs to the operator.
    #[error(
        "no Lease in namespace {namespace} belongs to the LeaderElectionID {id}; is the operator installed there, and does a replica run? give the namespace of the \
         Leases, and the LeaderElectionID that the replicas are set to"
    )]
    NoLeases {
        /// The namespace.
        namespace: String,
        /// The LeaderElectionID.
        id: String,
    },
    /// The account may not read something.
    #[error("{0}")]
    Forbidden(String),
    /// The API server does not accept the credentials.
    #[error(
        "the API server does not accept the credentials ({0}); log in again, or use another context of the kubeconfig"
    )]
    Unauthorized(String),
    /// There was no answer within the time limit.
    #[error("the API server did not answer within {} s; check its address and the network, or allow more time", .0.as_secs())]
    TimedOut(Duration),
    /// Any other failure of a request.
    #[error("{resource} could not be listed: {}; check the address and the credentials of the API server", of_request(.source))]
    Failed {
        /// `plural.group`.
        resource: String,
        /// The API server's answer, or why there was none.
        source: kube::Error,
    },
    /// The list kept changing.
    #[error(
        "{0} could not be counted, because the list expired twice while its pages were read; try again, or allow more time"
    )]
    Expired(String),
    /// The resource does not exist.
    #[error("the API server does not serve {0}; is its custom resource definition installed?")]
    NotServed(String),
}

impl StatusError {
    /// What an answer to the list of this resource (`plural.group`) means.
    pub(super) fn of(resource: &str, namespace: Option<&str>, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 403 => {
                Self::Forbidden(missing_right("list", resource, namespace, &status.message))
            }
            kube::Error::Api(status) if status.code == 401 => Self::Unauthorized(of_request(&error)),
            kube::Error::Api(status) if status.code == 404 => Self::NotServed(resource.to_owned()),
            kube::Error::Api(status) if status.code == 410 => Self::Expired(resource.to_owned()),
            _ => Self::Failed { resource: resource.to_owned(), source: error },
        }
    }
}
