//! The member Leases of earlier processes that are proven to have ended.
//!
//! Others take such a process for alive until its member Lease expires, and would plan shards for it that this process takes back.

use std::sync::Arc;

use lease_core::{Backoff, Elections, Identity, RequestError};

use crate::setup::Setup;

/// Deletes them, with uid and resourceVersion as preconditions. A member Lease permits nothing, so this does not have to wait until nothing of that
/// process is on its way.
pub(super) async fn delete(setup: Arc<Setup>, elections: Elections) {
    for ended in elections.ended().identities() {
        let mut backoff = Backoff::new(elections.options().timings);
        while let Err(error) = delete_one(&setup, &elections, ended).await {
            tracing::warn!(member = %ended, %error, "the member Lease of a process that has ended could not be deleted; retrying");
            setup.clock.sleep(backoff.after_failure(setup.clock.now().monotonic)).await;
        }
    }
}

async fn delete_one(setup: &Setup, elections: &Elections, ended: &Identity) -> Result<(), RequestError> {
    let Ok(name) = setup.names.member(ended) else { return Ok(()) };
    let api = elections.client();
    let Some(lease) = api.get(&name).await? else { return Ok(()) };
    let Ok(observed) = lease_core::observed(&lease) else { return Ok(()) };
    if !observed.record.is_held_by(ended) {
        return Ok(());
    }
    match api.delete(&name, &observed.revision).await {
        Err(RequestError::NotFound) => Ok(()),
        deleted => deleted,
    }
}
