//! The overlap checker: checks a run by what the replicas recorded and what the API server accepted.
//!
//! It checks this promise: no custom resource is ever reconciled by two replicas at once, and every shard
//! has an owner again within a stated bound. Its input is the reconcile records of every replica
//! ([`crate::records`]) and the API server's audit log, which the replicas cannot falsify. The checks are independent of each
//! other:
//!
//! | check | reports |
//! | --- | --- |
//! | `overlap` | two reconciles of one CR (by name or by uid) at the same time |
//! | `begun-in-hold` | a reconcile that began without a valid hold of its shard |
//! | `writes` | a write that was accepted after its sender's validity had ended, or that belongs to no reconcile |
//! | `tokens` | a fencing token that does not grow, per shard and per CR |
//! | `holds` | two valid holders of one shard |
//! | `unowned` | a shard without an owner for longer than the bound |
//! | `waiting` | a CR that was not stamped or not reconciled for longer than the bound |
//!
//! A run without observations does not pass: [`Verdict::passed`] requires observations and no
//! violations.
//!
//! ```
//! use overlap_checker::{Observations, Rules, judge};
//!
//! let verdict = judge(&Observations::default(), &Rules::default());
//! assert!(!verdict.passed(), "no records, no proof");
//! ```

mod attribution;
mod audit;
mod begun;
mod clock;
mod holds;
mod overlap;
pub mod records;
mod takeover;
mod timeline;
mod tokens;
mod unowned;
mod verdict;
mod waiting;
mod writes;

#[cfg(test)]
mod run_builder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use attribution::{
    JudgedResource, LeftOut, Owner, Write, WriteRules, Writes, stamper_user_agent, task_user_agent,
};
pub use audit::{AuditEvent, AuditLog};
pub use clock::{Clock, Interval, Moment};
pub use takeover::{Takeover, takeovers};
pub use timeline::{Hold, Reconcile, Timeline};
pub use verdict::{Check, Coverage, Verdict, Violation};

use crate::records::{CrKey, RecordLog, Replica, Shard, Stamp, Uid};

/// The observations of a run.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// The records of all replicas that ran.
    pub records: RecordLog,
    /// The API server's audit log. Without it writes are not checked, and the verdict says so.
    pub audit: Option<AuditLog>,
    /// The faults that the test injected.
    pub faults: Vec<Fault>,
    /// Processes that were seen dead, by then at the latest. Their holds end there, although they could not record it. Only whoever has waited for a
    /// process may say so: a replica that is cut off, or whose Pod is gone, may still act.
    pub ended: Vec<Fault>,
    /// CRs that must be stamped and reconciled.
    pub crs: Vec<CreatedCr>,
    /// All shards that must have an owner. A shard that no replica ever held leaves no record, so its absence is noticed only if
    /// it is listed here.
    pub shards: BTreeSet<Shard>,
    /// When the Lease of each shard existed, in order. A change of the number of shards creates Leases and deletes them: a shard must
    /// have an owner within the bound from the creation of its Lease on, and none once it is deleted. A shard that is not listed has
    /// its Lease all the time. Take it from the API server and not from the replicas, and leave out what somebody else deleted.
    pub lifetimes: BTreeMap<Shard, Vec<LeaseLifetime>>,
    /// Since when every shard must have an owner: the start of the first replica. Without it the time to the first
    /// acquisition is not checked.
    pub since: Option<Stamp>,
    /// When the caller stopped observing, for instance just before it stopped all replicas. Default: the last
    /// record.
    pub until: Option<Stamp>,
}

/// A time for which the Lease of a shard existed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseLifetime {
    /// When it was created; none if it was there before.
    pub created: Option<Moment>,
    /// When it was deleted; none if it never was.
    pub deleted: Option<Moment>,
}

/// A replica that was abruptly removed: killed, paused, cut off. A graceful termination does not belong here, because its holds end
/// with a release.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The process.
    pub replica: Replica,
    /// The time of the fault.
    pub at: Stamp,
}

/// A CR that has to be stamped and reconciled.
#[derive(Debug, Clone)]
pub struct CreatedCr {
    /// The CR.
    pub cr: CrKey,
    /// Its uid, if the caller knows it.
    pub uid: Option<Uid>,
    /// When its creation was answered.
    pub created: Stamp,
    /// When its deletion was requested. After that it need not be reconciled.
    pub deleted: Option<Stamp>,
}

/// The rules of the checks: what is allowed.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Which writes are checked, and how they are attributed to replicas and CRs.
    pub writes: WriteRules,
    /// How far the audit log's clock may differ from that of the records.
    pub clock_slack: Duration,
    /// How long after the end of the validity a request may be accepted that was sent before. Zero is the
    /// strict promise; the design assumes at most LeaseDuration − RenewDeadline. Once another
    /// replica holds the shard, no such request is allowed.
    pub transit: Duration,
    /// The longest time that a shard may be without an owner: LeaseDuration + RetryPeriod. `None`: not checked.
    pub unowned_bound: Option<Duration>,
    /// The longest time that a new CR may wait to be stamped and reconciled. `None`: not checked.
    pub waiting_bound: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            writes: WriteRules::default(),
            clock_slack: Duration::from_millis(5),
            transit: Duration::ZERO,
            unowned_bound: None,
            waiting_bound: None,
        }
    }
}

/// Checks a run.
pub fn judge(observations: &Observations, rules: &Rules) -> Verdict {
    let timeline = Timeline::new(&observations.records.records).of_ended(&observations.ended);
    judge_timeline(&timeline, observations, rules)
}

/// Checks a run for which the caller has already built the timeline.
pub fn judge_timeline(timeline: &Timeline, observations: &Observations, rules: &Rules) -> Verdict {
    let writes = observations.audit.as_ref().map(|log| Writes::new(log, &rules.writes));
    let checks = vec![
        overlap::check(timeline),
        begun::check(timeline),
        writes::check(timeline, writes.as_ref(), rules),
        tokens::check(timeline),
        holds::check(timeline),
        unowned::check(timeline, observations, rules),
        waiting::check(timeline, observations, writes.as_ref(), rules),
    ];
    let coverage = Coverage::new(timeline, observations, writes.as_ref());
    Verdict::new(checks, coverage, data_problems(timeline, observations, writes.as_ref(), rules))
}

impl Verdict {
    /// How many overlaps were found: of reconciles, and of holds.
    pub fn overlaps(&self) -> usize {
        self.of(overlap::NAME).len() + self.of(holds::NAME).len()
    }
}

/// Reasons for which the records and the audit log cannot be trusted.
fn data_problems(
    timeline: &Timeline,
    observations: &Observations,
    writes: Option<&Writes>,
    rules: &Rules,
) -> Vec<String> {
    let mut data_problems = timeline.data_problems.clone();
    if timeline.reconciles.is_empty() {
        data_problems.push("No reconcile was recorded, so nothing was proven.".to_owned());
    }
    for malformed in &observations.records.tally.malformed {
        data_problems.push(format!(
            "{} line {} is a malformed record: {}.",
            malformed.source, malformed.line, malformed.reason
        ));
    }
    for fault in &observations.faults {
        if !timeline.replicas.contains_key(&fault.replica) {
            data_problems.push(format!("{} was taken out but left no record.", fault.replica));
        }
    }
    let Some(writes) = writes else { return data_problems };
    data_problems.extend(writes.misattributed.iter().cloned());
    if writes.accepted.is_empty() {
        data_problems.push("The audit log shows no write of any replica, so no write was judged.".to_owned());
    }
    if timeline.clock.spread() > rules.clock_slack {
        data_problems.push(format!(
            "The wall clock strays by {:?} from the boot clock, more than the {:?} allowed: it was set during the run, \
             and the audit log cannot be placed.",
            timeline.clock.spread(),
            rules.clock_slack
        ));
    }
    data_problems
}
