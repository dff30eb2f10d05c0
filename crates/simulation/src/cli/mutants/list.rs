//! Which rules are broken, and who has to notice.

/// A rule of `lease-core`, `shard-router` or `memcached-operator`, broken, or a protection from outside, taken away.
#[derive(Debug)]
pub(crate) struct Mutant {
    /// What it is called there (`crates/*/src/mutants.rs`).
    pub(crate) name: &'static str,
    /// The checker that has to notice, whatever others do.
    pub(crate) checker: &'static str,
    /// Within how many schedules.
    pub(crate) bound: u64,
}

const fn mutant(name: &'static str, checker: &'static str, bound: u64) -> Mutant {
    Mutant { name, checker, bound }
}

/// Those that schedules can tell from the rules.
pub(crate) const MUTANTS: [Mutant; 41] = [
    // lease-core
    mutant("expiry-by-wall-clock", "one-holder", 100),
    mutant("takeover-at-first-sight", "one-holder", 100),
    mutant("takeover-without-version", "one-holder", 300),
    mutant("validity-from-answer", "claims", 50),
    mutant("validity-is-lease-duration", "claims", 50),
    mutant("leader-ignores-suspend", "sending", 300),
    mutant("conflict-is-success", "claims", 100),
    mutant("lost-answer-is-success", "claims", 100),
    mutant("retry-without-read", "claims", 300),
    mutant("leads-on-beside-another", "renewals", 300),
    mutant("vanished-is-free", "one-holder", 300),
    mutant("blank-is-release", "one-holder", 300),
    mutant("release-frees-all", "one-holder", 100),
    mutant("last-record-only", "one-holder", 100),
    mutant("release-before-drain", "overlap", 100),
    mutant("renew-time-follows-clock", "renewals", 300),
    mutant("transitions-not-counted", "renewals", 50),
    mutant("old-news-after-rewind", "unowned", 300),
    mutant("terms-survive-rewind", "rewound", 300),
    mutant("writes-prove-no-rewind", "rewound", 300),
    mutant("ended-is-gone-at-once", "writes", 300),
    mutant("any-holder-has-ended", "one-holder", 100),
    // shard-router
    mutant("skip-drain", "overlap", 100),
    mutant("no-barrier", "barrier", 50),
    mutant("label-decides", "lost", 300),
    mutant("key-needs-no-record", "lost", 100),
    mutant("deleted-is-clean-up", "writes", 300),
    mutant("open-gate", "sending", 300),
    mutant("no-owner-finalizer", "overlap", 300),
    mutant("layout-of-predecessor-stands", "unsharded", 100),
    mutant("no-request-limit", "liveness", 50),
    mutant("layout-not-confirmed", "layout", 300),
    mutant("unable-keeps-shards", "unable", 100),
    mutant("one-bad-object-stops-the-list", "working", 100),
    mutant("mends-at-once", "mending", 100),
    mutant("plans-from-scratch", "moves", 100),
    mutant("never-hands-over", "balance", 50),
    mutant("forgets-after-takeover", "reached", 50),
    mutant("child-without-precondition", "children", 50),
    mutant("create-overwrites", "children", 50),
    // From outside: `simulation::mutants`.
    mutant("no-finalizer-policy", "overlap", 100),
];

#[cfg(all(test, feature = "mutants"))]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_mutant_of_one_of_the_crates() {
        let of_leases = lease_core::mutants::Mutant::ALL.map(|(_, name)| name);
        let of_shards = shard_router::mutants::Mutant::ALL.map(|(_, name)| name);
        let from_outside = simulation::mutants::Mutant::ALL.map(|(_, name)| name);
        for mutant in &MUTANTS {
            let crates = [&of_leases[..], &of_shards, &from_outside].map(|all| all.contains(&mutant.name));
            assert!(crates.iter().filter(|has| **has).count() == 1, "{} is in {crates:?}", mutant.name);
        }
    }
}
