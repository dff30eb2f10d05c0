//! Deletes member Leases of dead replicas. Usually a Pod owns its replica's Lease and the garbage collector deletes both; this
//! is for replicas that run without a Pod.

use std::time::Duration;

use lease_core::{LeaseApi, LeaseName, Monotonic, RequestError};

use crate::membership::Membership;

/// Deletes the Leases of members that have been dead for `grace`, with uid and resourceVersion as preconditions. Returns whether that
/// succeeded.
pub(super) async fn collect(
    api: &LeaseApi,
    membership: &Membership,
    now: Monotonic,
    grace: Duration,
) -> bool {
    let mut well = true;
    for (name, revision) in membership.long_dead(now, grace) {
        match api.delete(&LeaseName::from_server(&name), &revision).await {
            Ok(()) => tracing::info!(lease = name, "deleted the Lease of a dead member"),
            Err(RequestError::Conflict | RequestError::NotFound) => {}
            Err(error) => {
                tracing::warn!(lease = name, %error, "a dead member's Lease could not be deleted; retrying");
                well = false;
            }
        }
    }
    well
}
