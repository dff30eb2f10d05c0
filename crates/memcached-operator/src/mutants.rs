//! Faults that can be switched on, one at a time, to prove that tests would find them.
//!
//! Only with the feature `mutants`. `activate` or `MEMCACHED_OPERATOR_MUTANT` (a name from
//! [`Mutant::ALL`]) switches one on for the whole process. Never for production.

lease_core::declare_mutants! {
    "MEMCACHED_OPERATOR_MUTANT";
    /// A child that was seen is applied without its uid and resourceVersion.
    ChildWithoutPrecondition = "child-without-precondition",
    /// A child that was not seen is applied to whatever is there by then.
    CreateOverwrites = "create-overwrites",
    /// A child that somebody keeps changing or deleting is restored each time at once.
    MendsAtOnce = "mends-at-once",
}
