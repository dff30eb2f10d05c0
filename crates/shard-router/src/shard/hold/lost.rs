//! Buckets that a hold has lost, until that is acknowledged.

use std::collections::BTreeSet;

use lease_core::Monotonic;

use crate::routing::bucket::Bucket;

/// Buckets that were open and are closed.
#[derive(Default)]
pub(super) struct Lost {
    pub(super) buckets: BTreeSet<Bucket>,
    /// When reconciles of them that still run are aborted; `None` if they have been.
    abort_at: Option<Monotonic>,
    /// When no write of them can be applied any more; `None` while reconciles run.
    landed_at: Option<Monotonic>,
}

impl Lost {
    /// More buckets, whose reconciles may run until `abort_at`.
    pub(super) fn add(&mut self, closed: BTreeSet<Bucket>, abort_at: Monotonic) {
        self.buckets.extend(closed);
        (self.abort_at, self.landed_at) = (Some(abort_at), None);
    }

    /// Whether reconciles that still run have to be aborted now. Says so once.
    pub(super) fn overruns(&mut self, now: Monotonic) -> bool {
        self.abort_at.take_if(|at| *at <= now).is_some()
    }

    /// Their reconciles have ended, and their writes are applied until this instant at the latest.
    pub(super) fn ended(&mut self, landed_at: impl FnOnce() -> Monotonic) {
        self.landed_at.get_or_insert_with(landed_at);
    }

    /// Whether something of them may still be under way.
    pub(super) fn runs(&self, now: Monotonic) -> bool {
        self.landed_at.is_none_or(|at| now < at)
    }

    /// When to look at them again, if no reconcile ends before.
    pub(super) fn due_at(&self) -> Option<Monotonic> {
        self.landed_at.or(self.abort_at)
    }
}
