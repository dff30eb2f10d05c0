//! Member Leases of replicas that are long gone. Their Pod owns them, so usually they are collected with it; this is for
//! processes that no Pod stands for.

use std::time::Duration;

use lease_core::{LeaseApi, LeaseName, Monotonic, RequestError};

use crate::membership::Membership;

/// Deletes what has been dead for `grace`, in the state in which it was seen dead and in no other. Returns whether all is
/// well.
pub(super) async fn collect(
    api: &LeaseApi,
    membership: &Membership,
    now: Monotonic,
    grace: Duration,
) -> bool {
    let mut well = true;
    for (name, revision) in membership.long_dead(now, grace) {
        match api.delete(&LeaseName::from_server(&name), &revision).await {
            Ok(()) => tracing::info!(lease = name, "deleted the Lease of a member that is long gone"),
            Err(RequestError::Conflict | RequestError::NotFound) => {}
            Err(error) => {
                tracing::warn!(lease = name, %error, "a dead member's Lease could not be deleted; retrying");
                well = false;
            }
        }
    }
    well
}
