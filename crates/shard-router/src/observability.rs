//! What a replica reports: metrics, readiness, reconcile records, missing rights and stalled shards.

pub(crate) mod absent_namespaces;
pub(crate) mod log_limit;
pub(crate) mod metrics;
pub(crate) mod problem;
pub(crate) mod progress;
pub(crate) mod readiness;
pub(crate) mod records;
pub(crate) mod requests;
pub(crate) mod retry_after;
pub(crate) mod rights;
pub(crate) mod sentence;
