//! A write under way.

use http::StatusCode;

use super::Pass;

/// Counted from before a write is sent until it is answered. If this is dropped before (its sender gave up or was aborted, the
/// connection broke), the Lease is not released as long as the write may land.
pub(super) struct Flight {
    pass: Pass,
    answered: bool,
}

impl Flight {
    /// `None` if nothing may be sent any more.
    pub(super) fn begin(pass: &Pass) -> Option<Self> {
        pass.0.write_begins().then(|| Self { pass: pass.clone(), answered: false })
    }

    pub(super) fn end(mut self, status: StatusCode) {
        self.answered = tells(status);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.pass.0.write_ends(self.answered);
    }
}

/// Whether the write has been carried out, or certainly never will be. 408 and 499 are timeouts, and of a 5xx nobody knows how
/// far it got: etcd may still commit what the API server no longer waits for.
fn tells(status: StatusCode) -> bool {
    !(status.is_server_error() || matches!(status.as_u16(), 408 | 499))
}
