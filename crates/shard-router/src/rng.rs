//! [`SharedRng`]: seeded randomness, for jitter and for the order of work.

use std::sync::Arc;

use parking_lot::Mutex;

/// Seeded randomness, shared.
#[derive(Clone)]
pub(crate) struct SharedRng(Arc<Mutex<fastrand::Rng>>);

impl SharedRng {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// From 0 to 1.
    pub(crate) fn roll(&self) -> f64 {
        self.0.lock().f64()
    }

    /// For randomness of one's own.
    pub(crate) fn seed(&self) -> u64 {
        self.0.lock().u64(..)
    }
}
