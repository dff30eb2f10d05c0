//! No write of a holder is accepted once its validity has ended.

use std::collections::HashMap;

use super::attribution::{Write, Writes};
use super::clock::short;
use super::timeline::{Hold, Reconcile, Timeline};
use super::verdict::{Check, Violation};
use super::{Moment, Rules};
use crate::records::{CrKey, Replica};

const NAME: &str = "writes";

type Reconciles<'a> = HashMap<(&'a Replica, &'a CrKey), Vec<&'a Reconcile>>;

/// A write to a CR or one of its children belongs to the latest reconcile of that CR that its replica had
/// begun when the API server received the request; the hold that this reconcile names must have been valid
/// then. A write without such a reconcile is unexplained.
pub(super) fn check(timeline: &Timeline, writes: Option<&Writes>, rules: &Rules) -> Check {
    let Some(writes) = writes else {
        return Check::not_run(NAME, "accepted writes", "there is no audit log");
    };
    let mut check = Check::new(NAME, "accepted writes");
    let mut reconciles: Reconciles<'_> = HashMap::new();
    for reconcile in &timeline.reconciles {
        reconciles.entry((&reconcile.replica, &reconcile.cr)).or_default().push(reconcile);
    }
    for write in writes.accepted.iter().filter(|write| !write.upkeep) {
        check.examined += 1;
        match judge(timeline, &reconciles, write, rules) {
            Finding::InTime => {}
            Finding::InTransit => check.in_transit += 1,
            Finding::Violation(violation) => check.violations.push(violation),
        }
    }
    check
}

enum Finding {
    InTime,
    /// After validity, but within what the rules allow for the way, and before anybody else held the shard.
    InTransit,
    Violation(Violation),
}

fn judge(timeline: &Timeline, reconciles: &Reconciles<'_>, write: &Write, rules: &Rules) -> Finding {
    let at = write.event.received;
    let (Some(replica), Some(cr)) = (&write.replica, &write.cr) else {
        return Finding::Violation(unexplained(timeline, write, "names no replica or leads to no CR"));
    };
    let begun_by = at.plus(rules.clock_slack);
    let Some(reconcile) = reconciles
        .get(&(replica, cr))
        .and_then(|all| all[..all.partition_point(|reconcile| reconcile.begun <= begun_by)].last())
    else {
        return Finding::Violation(unexplained(
            timeline,
            write,
            "comes before any reconcile of that CR by that replica",
        ));
    };
    let Some(hold) = reconcile.hold.map(|index| &timeline.holds[index]) else {
        return Finding::Violation(unexplained(
            timeline,
            write,
            "belongs to a reconcile under a hold that was never recorded",
        ));
    };
    if hold.valid.contains(at, rules.clock_slack) {
        return Finding::InTime;
    }
    // Looked for here and not before: few writes are late, and there are many holds.
    let next = next_holder(timeline, hold);
    let taken_over = next.is_some_and(|next| next.valid.from.plus(rules.clock_slack) <= at);
    // Only a late request can have been on its way; nothing excuses an early one.
    if !taken_over && at >= hold.valid.to && at < hold.valid.to.plus(rules.clock_slack + rules.transit) {
        return Finding::InTransit;
    }
    let by = short(at.since(hold.valid.to).max(hold.valid.from.since(at)));
    let since = match next {
        Some(next) if taken_over => {
            format!("; {} had held it for {:?}", next.replica, short(at.since(next.valid.from)))
        }
        _ => "; nobody else held it yet".to_owned(),
    };
    Finding::Violation(Violation {
        sentence: format!(
            "The API server {} a {} from {replica} at {}, {by:?} outside of its hold of {} (token {}, valid {}){since}.",
            write.answer(),
            write.describe(),
            timeline.clock.show(at),
            hold.shard.described(),
            hold.token,
            timeline.clock.show_interval(hold.valid),
        ),
        cr: Some(cr.clone()),
        shard: Some(hold.shard),
        replicas: std::iter::once(replica.clone()).chain(next.map(|next| next.replica.clone())).collect(),
        first: Some(hold.valid),
        second: next.map(|next| next.valid),
        by,
    })
}

/// The first hold of the shard by another process after this one.
pub(super) fn next_holder<'a>(timeline: &'a Timeline, hold: &Hold) -> Option<&'a Hold> {
    let later = |next: &&Hold| (next.epoch, next.token) > (hold.epoch, hold.token);
    let another = |next: &&Hold| next.shard == hold.shard && next.replica != hold.replica;
    timeline.holds.iter().filter(another).find(later)
}

fn unexplained(timeline: &Timeline, write: &Write, why: &str) -> Violation {
    let at: Moment = write.event.received;
    Violation {
        sentence: format!(
            "The API server {} a {} by {:?} (user {}) at {}, which {why}.",
            write.answer(),
            write.describe(),
            write.event.user_agent,
            write.event.user,
            timeline.clock.show(at)
        ),
        cr: write.cr.clone(),
        replicas: write.replica.clone().into_iter().collect(),
        ..Violation::default()
    }
}
