//! What others get to see of a replica: metrics, readiness, the records of reconciles, and what is missing or stuck.

pub(crate) mod absent_namespaces;
pub(crate) mod log_limit;
pub(crate) mod metrics;
pub(crate) mod problem;
pub(crate) mod progress;
pub(crate) mod readiness;
pub(crate) mod records;
pub(crate) mod requests;
pub(crate) mod rights;
pub(crate) mod sentence;
