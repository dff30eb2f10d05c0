//! Faults that can be switched on, one at a time, to prove that tests would find them.
//!
//! Off, and absent, without the feature `mutants`. [`activate`] or `MEMCACHED_OPERATOR_MUTANT` (a name from
//! [`Mutant::ALL`]) switches one on for the whole process. Never for production.

/// A rule of the operator that can be broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A child that was seen is applied without its uid and resourceVersion.
    ChildWithoutPrecondition = 1,
    /// A child that was not seen is applied to whatever is there by then.
    CreateOverwrites,
    /// A child that somebody keeps changing or deleting is restored each time at once.
    MendsAtOnce,
}

impl Mutant {
    /// Every mutant there is, with its name in `MEMCACHED_OPERATOR_MUTANT`.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::ChildWithoutPrecondition, "child-without-precondition"),
        (Self::CreateOverwrites, "create-overwrites"),
        (Self::MendsAtOnce, "mends-at-once"),
    ];
}

/// Whether this fault is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn active(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use switch::{activate, active};

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mutant;

    static ACTIVE: AtomicU8 = AtomicU8::new(0);
    static FROM_ENVIRONMENT: OnceLock<Option<Mutant>> = OnceLock::new();

    /// Switches one fault on, or all off, for the whole process.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::SeqCst);
    }

    /// Whether this fault is switched on, by [`activate`] or by `MEMCACHED_OPERATOR_MUTANT=<name>`.
    pub fn active(mutant: Mutant) -> bool {
        ACTIVE.load(Ordering::Relaxed) == mutant as u8
            || *FROM_ENVIRONMENT.get_or_init(from_environment) == Some(mutant)
    }

    fn from_environment() -> Option<Mutant> {
        let name = std::env::var("MEMCACHED_OPERATOR_MUTANT").ok()?;
        let mutant = Mutant::ALL.into_iter().find(|(_, known)| *known == name);
        assert!(
            mutant.is_some(),
            "MEMCACHED_OPERATOR_MUTANT={name} names no mutant; there are {:?}",
            Mutant::ALL.map(|(_, name)| name)
        );
        mutant.map(|(mutant, _)| mutant)
    }
}
