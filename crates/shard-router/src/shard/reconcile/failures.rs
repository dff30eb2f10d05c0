//! How often each object has failed in a row.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Counts by uid. An entry lives from the first failure to the next success, and no longer than the object is in the cache: a
/// new object of the same name begins at zero.
#[derive(Default)]
pub(crate) struct Failures(Mutex<BTreeMap<String, u32>>);

impl Failures {
    /// One more. Returns how many in a row.
    ///
    /// Nothing is kept for an object that has left the cache: the failure of its last reconcile may be reported after
    /// [`forget`](Self::forget), which would never be called again. `is_cached` is asked under the lock that `forget` takes, and
    /// `forget` follows the removal from the cache, so one of the two sees the other.
    pub(crate) fn count(&self, uid: &str, is_cached: impl FnOnce() -> bool) -> u32 {
        let mut failures = self.0.lock();
        let count = failures.get(uid).copied().unwrap_or_default().saturating_add(1);
        if is_cached() {
            failures.insert(uid.to_owned(), count);
        }
        count
    }

    /// How many in a row so far.
    pub(crate) fn of(&self, uid: &str) -> u32 {
        self.0.lock().get(uid).copied().unwrap_or_default()
    }

    /// The object was reconciled without a failure, or has left the cache.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namesake_does_not_inherit_a_count() {
        let failures = Failures::default();
        assert_eq!((failures.count("1", || true), failures.count("1", || true)), (1, 2));
        assert_eq!(failures.count("2", || true), 1);
        assert_eq!((failures.of("1"), failures.of("3")), (2, 0));
        failures.forget("1");
        assert_eq!(failures.count("1", || true), 1);
    }

    #[test]
    fn a_failure_told_after_the_object_has_left_leaves_nothing() {
        let failures = Failures::default();
        assert_eq!(failures.count("1", || false), 1);
        assert!(failures.0.lock().is_empty());
    }
}
