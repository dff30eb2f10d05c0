//! What the crates of this workspace write their rules and deliberate faults with. Public for them, and for nobody else.

/// Declares the deliberate faults of a crate, and the switch for them. To be used in a module `mutants` at the crate's root; the crate needs
/// a feature `mutants` that enables the one of `lease-core`.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_mutants {
    ($variable:literal; $($(#[$doc:meta])* $mutant:ident = $name:literal,)+) => {
        /// One rule, broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Mutant { $($(#[$doc])* $mutant,)+ }

        impl Mutant {
            #[doc = concat!("Every mutant there is, with its name in `", $variable, "`.")]
            pub const ALL: [(Self, &'static str); [$($name),+].len()] = [$((Self::$mutant, $name)),+];
        }

        #[cfg(feature = "mutants")]
        static SWITCH: $crate::mutants::Switch = $crate::mutants::Switch::new($variable, &[$($name),+]);

        /// Switches one fault on, or all off, for the whole process.
        #[cfg(feature = "mutants")]
        pub fn activate(mutant: Option<Mutant>) {
            SWITCH.set(mutant.map(|mutant| mutant as u8));
        }

        #[doc = concat!("Whether this fault is switched on, by `activate` or by `", $variable, "=<name>`.")]
        #[cfg(feature = "mutants")]
        pub fn active(mutant: Mutant) -> bool {
            SWITCH.is(mutant as u8)
        }

        /// Whether any fault is switched on.
        #[cfg(feature = "mutants")]
        pub fn any() -> bool {
            SWITCH.any()
        }

        /// Whether this fault is switched on: never, without the feature `mutants`.
        #[cfg(not(feature = "mutants"))]
        #[inline]
        pub const fn active(_: Mutant) -> bool {
            false
        }

        /// Whether any fault is switched on: never, without the feature `mutants`.
        #[cfg(not(feature = "mutants"))]
        #[inline]
        pub const fn any() -> bool {
            false
        }
    };
}

/// Returns from a rule with a wrong answer, where a test has switched on this fault of the crate that the rule is in.
#[doc(hidden)]
#[macro_export]
#[allow(clippy::crate_in_macro_def, reason = "the mutants are those of the crate that the rule is in")]
macro_rules! broken {
    ($fault:ident => $wrong:expr) => {
        if crate::mutants::active(crate::mutants::Mutant::$fault) {
            return $wrong;
        }
    };
}

/// What holds as long as every rule does: checked in debug builds, and not where a test has broken a rule on purpose, as it is then for
/// the checkers to notice.
#[doc(hidden)]
#[macro_export]
#[allow(clippy::crate_in_macro_def, reason = "as above")]
macro_rules! invariant {
    ($holds:expr, $($what:tt)+) => {
        debug_assert!($holds || crate::mutants::any() || $crate::mutants::any(), $($what)+)
    };
}
