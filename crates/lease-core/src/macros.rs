//! What the crates of this workspace write their rules and deliberate faults with. Exported for them, and for nobody else: not part of
//! the public API.

/// Declares the deliberate faults of a crate, and the switch for them. To be used in a module `mutants` at the crate's root that exists
/// only with a feature `mutants`, which enables the one of `lease-core`.
#[cfg(feature = "mutants")]
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

        static SWITCH: $crate::mutants::Switch = $crate::mutants::Switch::new($variable, &[$($name),+]);

        /// Switches one fault on, or all off, for the whole process.
        pub fn activate(mutant: Option<Mutant>) {
            SWITCH.set(mutant.map(|mutant| mutant as u8));
        }

        #[doc = concat!("Whether this fault is switched on, by `activate` or by `", $variable, "=<name>`.")]
        pub fn active(mutant: Mutant) -> bool {
            SWITCH.is(mutant as u8)
        }

        /// Whether any fault is switched on.
        pub fn any() -> bool {
            SWITCH.any()
        }
    };
}

/// Returns from a rule with a wrong answer, where a test has switched on this fault of the crate that the rule is in. Without that
/// crate's feature `mutants`, the answer is compiled and never given.
#[doc(hidden)]
#[macro_export]
#[allow(clippy::crate_in_macro_def, reason = "the mutants are those of the crate that the rule is in")]
macro_rules! broken {
    ($fault:ident => $wrong:expr) => {
        #[cfg(feature = "mutants")]
        let is_broken = crate::mutants::active(crate::mutants::Mutant::$fault);
        #[cfg(not(feature = "mutants"))]
        let is_broken = false;
        if is_broken {
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
    ($holds:expr, $($what:tt)+) => {{
        #[cfg(feature = "mutants")]
        let is_broken = || crate::mutants::any() || $crate::mutants::any();
        #[cfg(not(feature = "mutants"))]
        let is_broken = || false;
        debug_assert!($holds || is_broken(), $($what)+)
    }};
}
