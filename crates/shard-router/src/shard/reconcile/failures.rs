//! How often each object has failed in a row.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Counts per object; an entry lives from the first failure to the next success, or to the end of the hold.
#[derive(Default)]
pub(super) struct Failures(Mutex<BTreeMap<String, u32>>);

impl Failures {
    /// One more. Returns how many in a row.
    pub(super) fn count(&self, cr: &str) -> u32 {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(cr.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(super) fn forget(&self, cr: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cr);
    }
}
