//! The records of one hold: its begin, its extensions, its end.

use std::sync::Arc;

use lease_core::{Now, Term};

use super::{HoldFacts, Recorder};

/// Writes `hold-begin` when made and `hold-end` when the last clone of its [`Arc`] is dropped. The runner and each
/// reconcile have one, so `hold-end` comes after every `end` and `aborted` of the hold, whatever ends it.
pub(crate) struct HoldRecord {
    recorder: Recorder,
    pub(crate) facts: HoldFacts,
    term: Term,
}

impl HoldRecord {
    /// `sent`: when the write was sent whose version is the token.
    pub(crate) fn begin(recorder: Recorder, facts: HoldFacts, term: Term, sent: Now) -> Arc<Self> {
        recorder.hold_begin(&facts, sent, term.validity());
        Arc::new(Self { recorder, facts, term })
    }

    /// Writes `hold-renewed` for each extension. Never ends by itself.
    pub(crate) async fn follow_renewals(&self) {
        let mut renewals = self.term.renewals();
        while renewals.changed().await.is_ok() {
            let validity = *renewals.borrow_and_update();
            // The last value is a validity that has ended; `hold-end` records that.
            if validity.holds_at(self.recorder.now()) {
                self.recorder.hold_renewed(&self.facts, validity);
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Drop for HoldRecord {
    fn drop(&mut self) {
        let reason = if !self.term.is_valid() {
            "lost"
        } else if self.term.is_draining() {
            "released"
        } else {
            "stopped"
        };
        self.recorder.hold_end(&self.facts, reason);
    }
}
