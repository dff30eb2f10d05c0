//! Which deliberate fault of a crate is switched on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// What [`declare_mutants!`](crate::declare_mutants) keeps in a static: one for each crate that has mutants.
#[derive(Debug)]
pub struct Switch {
    variable: &'static str,
    names: &'static [&'static str],
    /// 0 for none, else the position of the fault, counted from 1.
    active: AtomicU8,
    from_environment: OnceLock<Option<u8>>,
}

impl Switch {
    /// All off, unless this environment variable holds one of these names.
    pub const fn new(variable: &'static str, names: &'static [&'static str]) -> Self {
        Self { variable, names, active: AtomicU8::new(0), from_environment: OnceLock::new() }
    }

    /// Switches the fault at this position on, or all off, for the whole process.
    pub fn set(&self, position: Option<u8>) {
        self.active.store(position.map_or(0, |position| position + 1), Ordering::SeqCst);
    }

    /// Whether the fault at this position is on.
    pub fn is(&self, position: u8) -> bool {
        self.active.load(Ordering::Relaxed) == position + 1 || self.named_by_environment() == Some(position)
    }

    /// Whether any fault is on.
    pub fn any(&self) -> bool {
        self.active.load(Ordering::Relaxed) != 0 || self.named_by_environment().is_some()
    }

    fn named_by_environment(&self) -> Option<u8> {
        *self.from_environment.get_or_init(|| {
            let name = std::env::var(self.variable).ok()?;
            let position = self.names.iter().position(|known| *known == name);
            assert!(
                position.is_some(),
                "{}={name} names no mutant; there are {:?}",
                self.variable,
                self.names
            );
            position.and_then(|position| u8::try_from(position).ok())
        })
    }
}
