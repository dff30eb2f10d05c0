//! What is judged once a schedule has run: small checkers, each on its own.
//!
//! | checker | catches |
//! | --- | --- |
//! | `overlap`, `begun-in-hold`, `writes`, `tokens`, `holds`, `waiting` | what kube-testkit's checker catches, on exact clocks; `records` is for records that contradict each other |
//! | `unowned` | a shard without an owner for longer than the bound, though somebody was fit to take it |
//! | `one-holder` | a Lease that passes on while its holder may still believe in it, by the API server's word alone |
//! | `rewound` | a term that is renewed after a restore of etcd, or that begins on a write that proves one |
//! | `claims` | a replica that believes in its hold for longer than the API server's word gives it |
//! | `sending` | a reconcile's write that is sent after its hold has ended, whatever becomes of it |
//! | `beside` | a write that lands in the middle of another replica's reconcile of the same name, whatever the holds |
//! | `children` | a write of a child whose state its writer had not seen, or of somebody else's object |
//! | `mending` | a child that somebody else writes too, and that is written back more often than the pauses allow |
//! | `barrier` | a first reconcile before a consistent list that was taken after the acquisition |
//! | `working` | a shard that is held and not worked on for longer than the bound, though its holder was fit |
//! | `reached` | a resource of a shard that is not reconciled within the bound after the shard has passed to somebody whom nothing hinders |
//! | `balance` | shards that are not shared evenly although nothing has changed for long enough |
//! | `moves` | a shard or a bucket that moves and need not: by a plan, in calm, or when the number of shards changes |
//! | `unable` | a replica that cannot list its resources and keeps its shards, or gets them back, while another can |
//! | `layout` | a first reconcile whose bucket no layout gives to the shard that was committed from the acquisition on |
//! | `unsharded` | a reconcile while an operator that does not shard holds the coordinator Lease, and has for long enough to be seen |
//! | `renewals` | a record that a Lease must not have: leaseTransitions, renewTime, acquireTime, resourceVersion, uid, holder |
//! | `restarted` | a process that starts again in its Pod and leaves a Lease of the one before it for longer than it has to |
//! | `lost` | a wish of a user that did not come true, or something left of what was deleted |
//! | `liveness` | that it takes longer than the bound until all is as asked for, once nothing goes wrong any more |
//! | `traffic` | requests about Leases beyond their formula |
//! | `panics`, `exits` | a process that panics, or ends for no reason |
//!
//! Time is true time throughout, and exact. What is allowed beyond the promise is in [`bounds`], each allowance named.

mod balance;
mod barrier;
mod beside;
pub mod bounds;
mod children;
mod claims;
mod eligibility;
mod exits;
mod layout;
mod leases;
mod liveness;
mod lost;
mod mending;
mod moves;
mod one_holder;
#[cfg(test)]
mod profile_tests;
mod reached;
mod reconciles;
mod renewals;
mod restarted;
mod rewound;
#[cfg(test)]
mod run_builder;
mod sending;
mod span;
mod stable;
mod traffic;
mod unable;
mod unowned;
mod unsharded;
mod working;

use std::collections::BTreeMap;
use std::time::Duration;

use self::bounds::Bounds;
use self::eligibility::Eligibility;
use self::leases::Histories;
use crate::observations::Observations;
use crate::run_report::Violation;
use crate::time::TrueTime;

/// What the checkers say of one schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// In order of the checkers; empty if the promise was kept.
    pub violations: Vec<Violation>,
    /// How much each checker judged. A checker that judged nothing in one schedule is no fault, one that judged nothing
    /// in any is.
    pub judged: BTreeMap<String, u64>,
    /// The longest time that a shard had no valid holder though somebody was fit to take it, as a share of its bound.
    pub longest_unowned: f64,
    /// From the last fault until everything was as asked for, in seconds; `None` if it never was.
    pub converged_after: Option<f64>,
}

/// Judges a run.
pub fn judge(observations: &Observations) -> Judgement {
    let bounds = Bounds::of(&observations.schedule);
    let histories = Histories::of(&observations.leases);
    let eligibility = Eligibility::of(observations, &bounds);
    let timeline = reconciles::timeline(observations);
    let unowned = unowned::check(observations, &timeline, &histories, &eligibility, &bounds);
    let mut checks = reconciles::checks(observations, &timeline, &bounds);
    checks.extend([
        unowned.check,
        one_holder::check(observations, &histories),
        claims::check(observations, &histories),
        sending::check(observations, &timeline),
        beside::check(observations, &timeline),
        children::check(observations),
        mending::check(observations),
        barrier::check(observations, &timeline),
        working::check(observations, &timeline, &eligibility, &bounds),
        unable::check(observations, &timeline, &eligibility, &bounds),
        reached::check(observations, &timeline, &histories, &eligibility, &bounds),
        balance::check(observations, &histories, &bounds),
        moves::check(observations, &histories, &bounds),
        layout::check(observations, &timeline, &histories),
        unsharded::check(observations, &timeline, &histories, &eligibility, &bounds),
        renewals::check(observations, &histories),
        rewound::check(observations, &histories),
        restarted::check(observations, &histories, &eligibility, &bounds),
        lost::check(observations),
        liveness::check(observations, &timeline, &histories, &bounds),
        traffic::check(observations, &histories, &bounds),
        exits::panics(observations),
        exits::check(observations),
    ]);
    Judgement {
        judged: checks.iter().map(|check| (check.name.to_owned(), check.judged)).collect(),
        violations: checks.into_iter().flat_map(|check| check.violations).collect(),
        longest_unowned: unowned.longest,
        converged_after: observations.converged.map(|at| at.since(observations.quiet_from).as_secs_f64()),
    }
}

/// One checker's findings.
#[derive(Debug)]
struct Check {
    name: &'static str,
    judged: u64,
    violations: Vec<Violation>,
}

impl Check {
    fn new(name: &'static str) -> Self {
        Self { name, judged: 0, violations: Vec::new() }
    }

    fn violated(&mut self, at: impl Into<Option<TrueTime>>, sentence: String) {
        let at = at.into().map(|at| at.to_string());
        self.violations.push(Violation { checker: self.name.to_owned(), sentence, at });
    }
}

/// As people read it.
fn short(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
