//! What is known to be no dead end.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;

use crate::state::State;

/// States from which a settled layout is known to be reached.
#[derive(Debug, Default)]
pub struct Recovered(Vec<Mutex<HashSet<u64>>>);

impl Recovered {
    /// Of none yet.
    pub fn new() -> Self {
        Self((0..64).map(|_| Mutex::default()).collect())
    }

    fn part(&self, state: &State) -> (&Mutex<HashSet<u64>>, u64) {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let hash = hasher.finish();
        (&self.0[usize::try_from(hash % 64).expect("it is small")], hash)
    }

    pub(crate) fn knows(&self, state: &State) -> bool {
        let (part, hash) = self.part(state);
        part.lock().contains(&hash)
    }

    pub(crate) fn add(&self, state: &State) {
        let (part, hash) = self.part(state);
        part.lock().insert(hash);
    }
}
