//! What a request is about, by what can be read off it.

use bytes::Bytes;
use http::{Method, Request, header};

/// What a request is to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A write of a Lease.
    LeaseWrite,
    /// Something that a reconcile asked for.
    Reconcile,
    /// Anything else.
    Other,
}

impl RequestKind {
    /// The stamper and Lease traffic have User-Agents of their own.
    pub(super) fn of(request: &Request<Bytes>) -> Self {
        let path = request.uri().path();
        let reads = request.method() == Method::GET;
        if is_of_leases(request) {
            return if reads { RequestKind::Other } else { RequestKind::LeaseWrite };
        }
        let collection = reads
            && request.uri().query().is_some_and(|query| {
                ["watch=", "labelSelector=", "limit="].iter().any(|option| query.contains(option))
            });
        if collection || user_agent(request).contains("-stamper/") || path.contains("/events") {
            return RequestKind::Other;
        }
        RequestKind::Reconcile
    }
}

pub(super) fn user_agent(request: &Request<Bytes>) -> String {
    let value = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

pub(super) fn is_of_leases<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with("/apis/coordination.k8s.io/")
}

/// A list by which a shard's cache is filled; the stamper lists what is in no bucket.
pub(super) fn is_first_list<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method() == Method::GET
        && request.uri().path().ends_with("/memcacheds")
        && query.contains("labelSelector=")
        && !query.contains("notin")
        && !query.contains("watch=")
}
