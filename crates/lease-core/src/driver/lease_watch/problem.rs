//! Refusals of the watch, which [`Health`](crate::Health) reports.

use kube::runtime::watcher::{Error, Event};

use super::super::health::Journal;
use super::super::lease_api::LeaseApi;
use super::super::request_error::{RequestError, meaning};
use super::super::wire::LockObject;
use crate::time::Monotonic;

/// Records an error.
pub(super) fn of(error: Error, api: &LeaseApi, journal: &Journal, now: Monotonic) {
    let (verb, error) = match error {
        Error::InitialListFailed(error) => ("list", meaning(error)),
        Error::WatchStartFailed(error) => ("watch", meaning(error)),
        // A watch ends now and then for every client, for example because its version has become too old.
        Error::WatchError(_) | Error::WatchFailed(_) | Error::NoResourceVersion => return,
    };
    // A missing right stays until somebody grants it, and `Health` has to say why there is no answer. After any other refusal the watch is just
    // restarted.
    if matches!(error, RequestError::Rejected { code: 401 | 403, .. } | RequestError::Unknown(_)) {
        journal.note(verb, api.lock().resource(), api.namespace(), &Err::<(), _>(error), now);
    }
}

/// Records that a request is permitted, as the event proves.
pub(super) fn is_over(event: &Event<LockObject>, api: &LeaseApi, journal: &Journal, now: Monotonic) {
    let verb = match event {
        Event::Init => return,
        Event::InitApply(_) | Event::InitDone => "list",
        Event::Apply(_) | Event::Delete(_) => "watch",
    };
    journal.note(verb, api.lock().resource(), api.namespace(), &Ok(()), now);
}
