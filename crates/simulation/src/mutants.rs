//! What protects the installation from outside of the operator, taken away on purpose: the checkers have to notice.

use std::sync::atomic::{AtomicU8, Ordering};

/// A protection that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The admission policy that keeps tenants from stripping the owner's finalizer is not installed.
    NoFinalizerPolicy = 1,
}

impl Mutant {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 1] = [(Self::NoFinalizerPolicy, "no-finalizer-policy")];
}

static ACTIVE: AtomicU8 = AtomicU8::new(0);

/// Takes one away, for the whole process.
pub fn activate(mutant: Mutant) {
    ACTIVE.store(mutant as u8, Ordering::Relaxed);
}

/// Whether it is taken away.
pub fn active(mutant: Mutant) -> bool {
    ACTIVE.load(Ordering::Relaxed) == mutant as u8
}
