//! What the API server refuses the watch, for [`Health`](crate::Health) to name.

use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{Error, Event};

use super::super::health::Journal;
use super::super::lease_api::{LEASES, LeaseApi};
use super::super::request_error::{RequestError, meaning};
use crate::time::Monotonic;

/// Notes an error.
pub(super) fn of(error: Error, api: &LeaseApi, journal: &Journal, now: Monotonic) {
    let (verb, error) = match error {
        Error::InitialListFailed(error) => ("list", meaning(error)),
        Error::WatchStartFailed(error) => ("watch", meaning(error)),
        // Ends of a watch that every client meets now and then, such as a version that is too old by now.
        Error::WatchError(_) | Error::WatchFailed(_) | Error::NoResourceVersion => return,
    };
    // What is not permitted stays so until someone acts, and why nothing is answered is asked of `Health`; a watch that is refused for
    // another reason begins anew.
    if matches!(error, RequestError::Rejected { code: 401 | 403, .. } | RequestError::Unknown(_)) {
        journal.note(verb, LEASES, api.namespace(), &Err::<(), _>(error), now);
    }
}

/// Notes what an event proves to be permitted.
pub(super) fn is_over(event: &Event<Lease>, api: &LeaseApi, journal: &Journal, now: Monotonic) {
    match event {
        Event::Init => {}
        Event::InitApply(_) | Event::InitDone => journal.note("list", LEASES, api.namespace(), &Ok(()), now),
        Event::Apply(_) | Event::Delete(_) => journal.note("watch", LEASES, api.namespace(), &Ok(()), now),
    }
}
