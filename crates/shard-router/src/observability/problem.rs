//! [`Problem`]: what keeps a replica from doing its part, for readiness.

use parking_lot::Mutex;

/// A sentence that is true until it is cleared.
#[derive(Default)]
pub(crate) struct Problem(Mutex<Option<String>>);

impl Problem {
    pub(crate) fn set(&self, sentence: String) {
        *self.0.lock() = Some(sentence);
    }

    pub(crate) fn clear(&self) {
        *self.0.lock() = None;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
