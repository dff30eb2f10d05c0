//! New CRs are stamped and reconciled within the bound.

use std::collections::HashMap;
use std::time::Duration;

use super::attribution::Writes;
use super::clock::{Interval, Moment, short};
use super::timeline::{Reconcile, Timeline};
use super::verdict::{Check, Violation};
use super::{CreatedCr, Observations, Rules};
use crate::records::{CrKey, Outcome, Stamp};

const NAME: &str = "waiting";

/// A CR is stamped when the API server accepts the router's upkeep of it, or at the latest when its first
/// reconcile begins: without a bucket it has no shard and no owner. It is reconciled when a reconcile of it
/// ends well.
pub(super) fn check(
    timeline: &Timeline,
    observations: &Observations,
    writes: Option<&Writes>,
    rules: &Rules,
) -> Check {
    let Some(bound) = rules.waiting_bound else {
        return Check::not_run(NAME, "CRs", "no bound was given");
    };
    if observations.crs.is_empty() {
        return Check::not_run(NAME, "CRs", "no CRs were named");
    }
    let mut check = Check::new(NAME, "CRs");
    let progress = Progress::new(timeline, writes, rules.clock_slack);
    for cr in &observations.crs {
        check.examined += 1;
        let Some(created) = timeline.clock.of_stamp(&cr.created) else {
            check.undecided += 1;
            continue;
        };
        let until = observed_until(timeline, observations, cr);
        let mut undecided = false;
        for (what, done) in
            [("unstamped", progress.stamped(cr, created)), ("un-reconciled", progress.converged(cr, created))]
        {
            let waited = Interval::new(created, done.unwrap_or(until).min(until));
            if waited.to.since(waited.from) > bound {
                check.violations.push(violation(timeline, cr, what, waited, done.is_some(), bound));
            } else if done.is_none_or(|done| done > until) {
                undecided = true;
            }
        }
        check.undecided += u64::from(undecided);
    }
    check
}

/// What became of each CR.
struct Progress<'a> {
    reconciles: HashMap<&'a CrKey, Vec<&'a Reconcile>>,
    upkeep: HashMap<&'a CrKey, Vec<Moment>>,
    slack: Duration,
}

impl<'a> Progress<'a> {
    fn new(timeline: &'a Timeline, writes: Option<&'a Writes>, slack: Duration) -> Self {
        let mut progress = Self { reconciles: HashMap::new(), upkeep: HashMap::new(), slack };
        for reconcile in &timeline.reconciles {
            progress.reconciles.entry(&reconcile.cr).or_default().push(reconcile);
        }
        for write in writes.into_iter().flat_map(|writes| &writes.accepted).filter(|write| write.upkeep) {
            if let Some(cr) = &write.cr {
                progress.upkeep.entry(cr).or_default().push(write.event.answered);
            }
        }
        progress
    }

    fn stamped(&self, cr: &CreatedCr, created: Moment) -> Option<Moment> {
        let upkeep = self.upkeep.get(&cr.cr).into_iter().flatten().copied();
        let upkeep = upkeep.filter(|at| *at >= created.minus(self.slack));
        upkeep.chain(self.reconciles(cr, created).map(|reconcile| reconcile.begun)).min()
    }

    fn converged(&self, cr: &CreatedCr, created: Moment) -> Option<Moment> {
        let ends = self.reconciles(cr, created).filter_map(|reconcile| reconcile.end);
        ends.filter(|(_, outcome)| *outcome == Outcome::Ok).map(|(at, _)| at).min()
    }

    /// The reconciles of this very CR. The answer to its creation may reach the caller later than the watch
    /// event reaches a replica; where the uid does not tell, the clock's slack has to do.
    fn reconciles(&self, cr: &CreatedCr, created: Moment) -> impl Iterator<Item = &'a Reconcile> {
        let from = created.minus(self.slack);
        self.reconciles.get(&cr.cr).into_iter().flatten().copied().filter(move |reconcile| match &cr.uid {
            Some(uid) => reconcile.uid == *uid,
            None => reconcile.begun >= from,
        })
    }
}

/// Until its deletion, or until the observation ended.
fn observed_until(timeline: &Timeline, observations: &Observations, cr: &CreatedCr) -> Moment {
    let moment = |stamp: &Option<Stamp>| stamp.as_ref().and_then(|stamp| timeline.clock.of_stamp(stamp));
    let observed = moment(&observations.until).or(timeline.last());
    moment(&cr.deleted).into_iter().chain(observed).min().unwrap_or(Moment(i64::MAX))
}

fn violation(
    timeline: &Timeline,
    cr: &CreatedCr,
    what: &str,
    waited: Interval,
    done: bool,
    bound: Duration,
) -> Violation {
    let long = short(waited.to.since(waited.from));
    let end = if done { "" } else { " and still was at the end of the observation" };
    Violation {
        sentence: format!(
            "{} was {what} for {long:?} ({}){end}, {:?} longer than the bound of {bound:?}.",
            cr.cr,
            timeline.clock.show_interval(waited),
            long.saturating_sub(bound)
        ),
        cr: Some(cr.cr.clone()),
        first: Some(waited),
        by: long.saturating_sub(bound),
        ..Violation::default()
    }
}
