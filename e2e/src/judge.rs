//! The verdict over a drill: what the checker finds in everything recorded so far, and how long each takeover took.

mod lifetimes;
mod losses;
mod sole;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use overlap_checker::records::{Body, RecordLog, Replica, Shard, Stamp};
use overlap_checker::{
    CreatedCr, Fault, JudgedResource, Moment, Observations, Owner, Rules, Timeline, Verdict, Violation,
    WriteRules, judge,
};

use crate::collected::Collected;
use lifetimes::lease_lifetimes;
use losses::millis;
pub(crate) use losses::{Cause, Loss, Measured};

/// The longest that a new resource may be unstamped or un-reconciled. Nothing is promised about that but that it ends: a
/// burst of a thousand on a small machine takes its time.
const WAITING_BOUND: Duration = Duration::from_secs(600);

/// A time during which one installation ran without a break, with one bound.
#[derive(Debug, Clone)]
pub(crate) struct Epoch {
    pub(crate) namespace: String,
    pub(crate) shards: u32,
    /// LeaseDuration + RetryPeriod, the longest of those that were in force.
    pub(crate) bound: Duration,
    pub(crate) since: Stamp,
    /// None while it lasts.
    pub(crate) until: Option<Stamp>,
}

/// A time at which no replica can hold a Lease, through no fault of its own: the bound counts from its end.
#[derive(Debug, Clone)]
pub(crate) struct Absence {
    pub(crate) from: Stamp,
    pub(crate) to: Stamp,
}

/// A time for which the network held up what a replica sent. The promise assumes that this does not last for longer than
/// LeaseDuration − RenewDeadline; here it did, on purpose.
#[derive(Debug, Clone)]
pub(crate) struct HeldUp {
    pub(crate) replica: Replica,
    pub(crate) from: Stamp,
    pub(crate) to: Stamp,
}

/// For how long after that TCP may still deliver what it had kept: the longest that it waits between two attempts after a
/// cut of this length.
const REDELIVERY: Duration = Duration::from_secs(15);

/// How long a process lives after SIGKILL at most. Nobody else can hold its shards so soon, so that nothing is overlooked.
const DEATH: Duration = Duration::from_secs(1);

/// What the drills did, as far as the verdict depends on it.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) absences: Vec<Absence>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) held_up: Vec<HeldUp>,
    /// Violations that were reported for an earlier drill.
    known: HashSet<String>,
}

/// The verdict over one drill.
pub(crate) struct Judgement {
    /// Everything so far, without the unowned times.
    pub(crate) verdict: Verdict,
    /// New since the last drill, one sentence each.
    pub(crate) failures: Vec<String>,
    /// New since the last drill: writes that lie outside of what is promised, because the network had held them up.
    pub(crate) late: Vec<String>,
    /// The takeovers of this drill.
    pub(crate) measured: Vec<Measured>,
    /// From each release in this drill to the next owner, in milliseconds.
    pub(crate) handovers: Vec<f64>,
    /// Gaps between two owners of a shard that were judged, in all drills so far.
    pub(crate) gaps: u64,
}

impl Story {
    /// Judges everything so far. `drill_since` is where the drill began: its losses are those after.
    pub(crate) fn judge(
        &mut self,
        observations: &Collected,
        crs: Vec<CreatedCr>,
        transit: Duration,
        drill_since: &Stamp,
        until: &Stamp,
    ) -> Judgement {
        let (elected, alone) = sole::parted(&observations.records);
        let timeline = Timeline::new(&elected.records).of_ended(&self.ended());
        let faults = self.faults();
        let mut audit = observations.audit.clone();
        if let Some(audit) = &mut audit {
            audit.events.retain(|event| event.replica().is_none_or(|replica| !alone.contains(&replica)));
        }
        let all = Observations {
            records: elected.clone(),
            audit,
            faults: faults.clone(),
            ended: self.ended(),
            crs,
            shards: BTreeSet::new(),
            lifetimes: BTreeMap::new(),
            since: None,
            until: Some(until.clone()),
        };
        let verdict = judge(&all, &rules(observations, transit));
        let (late, broken): (Vec<_>, Vec<_>) = verdict
            .checks
            .iter()
            .flat_map(|check| check.violations.iter().map(move |violation| (check.name, violation)))
            .partition(|(check, violation)| *check == "writes" && self.was_held_up(violation, &timeline));
        let sentences = |found: Vec<(&str, &Violation)>| -> Vec<String> {
            found.into_iter().map(|(_, violation)| violation.sentence.clone()).collect()
        };
        let (mut late, mut failures) = (sentences(late), sentences(broken));
        failures.extend(
            verdict.data_problems.iter().map(|problem| format!("The data cannot be trusted: {problem}")),
        );
        failures.extend(sole::failures(&observations.records, &alone));
        let deleted = all.crs.iter().filter(|cr| cr.deleted.is_some()).map(|cr| cr.cr.clone()).collect();
        let mut gaps = 0;
        for epoch in &self.epochs {
            let (found, examined) = self.unowned(epoch, observations, &elected, &faults, until);
            failures.extend(found);
            gaps += examined;
        }
        let losses = self.losses.iter().filter(|loss| loss.at.boot >= drill_since.boot);
        let measured: Vec<_> = losses.map(|loss| loss.measure(&timeline, &deleted)).collect();
        failures.extend(measured.iter().flat_map(Measured::failures));
        failures.retain(|failure| self.known.insert(coarse(failure)));
        late.retain(|write| self.known.insert(coarse(write)));
        let handovers = self.handovers(&elected, &timeline, drill_since);
        Judgement { verdict, failures, late, measured, handovers, gaps }
    }

    /// Whether a late write was sent while the network held its sender's packets up, and came out of it just after.
    fn was_held_up(&self, write: &Violation, timeline: &Timeline) -> bool {
        let moment = |stamp: &Stamp| timeline.clock.of_stamp(stamp);
        let (Some(writer), Some(hold)) = (write.replicas.first(), write.first) else { return false };
        let received = hold.to.plus(write.by);
        self.held_up.iter().filter(|held| held.replica == *writer).any(|held| {
            let (Some(from), Some(to)) = (moment(&held.from), moment(&held.to)) else { return false };
            (hold.from..hold.to).contains(&from) && to <= received && received < to.plus(REDELIVERY)
        })
    }

    fn faults(&self) -> Vec<Fault> {
        let sudden = self.losses.iter().filter(|loss| loss.cause.is_sudden());
        sudden.map(|loss| Fault { replica: loss.replica.clone(), at: loss.at.clone() }).collect()
    }

    /// Processes that were ended with SIGKILL. Their containers may start again in the same Pod, which proves as much to the operator.
    fn ended(&self) -> Vec<Fault> {
        let killed = self.losses.iter().filter(|loss| loss.cause == Cause::Killed);
        killed.map(|loss| Fault { replica: loss.replica.clone(), at: loss.at.plus(DEATH) }).collect()
    }

    /// Times without an owner that are longer than the bound, in one epoch.
    fn unowned(
        &self,
        epoch: &Epoch,
        observations: &Collected,
        elected: &RecordLog,
        faults: &[Fault],
        now: &Stamp,
    ) -> (Vec<String>, u64) {
        let started: HashSet<&Replica> = started_in(epoch, observations, elected);
        let records = RecordLog {
            records: elected
                .records
                .iter()
                .filter(|record| started.contains(&record.replica))
                .cloned()
                .collect(),
            tally: elected.tally.clone(),
        };
        if records.records.is_empty() {
            return (Vec::new(), 0);
        }
        let timeline = Timeline::new(&records.records);
        let judged = Observations {
            records,
            faults: faults.iter().filter(|fault| started.contains(&fault.replica)).cloned().collect(),
            shards: (0..epoch.shards).map(Shard).collect(),
            lifetimes: lease_lifetimes(&observations.lease_changes, &epoch.namespace, elected),
            until: Some(epoch.until.as_ref().unwrap_or(now).clone()),
            ..Observations::default()
        };
        let verdict = judge(&judged, &Rules { unowned_bound: Some(epoch.bound), ..Rules::default() });
        let examined =
            verdict.checks.iter().filter(|check| check.name == "unowned").map(|check| check.examined).sum();
        let found =
            verdict.of("unowned").iter().filter(|violation| !self.excused(violation, epoch, &timeline));
        (found.map(|violation| violation.sentence.clone()).collect(), examined)
    }

    /// How long shards that were released had no owner.
    fn handovers(&self, records: &RecordLog, timeline: &Timeline, since: &Stamp) -> Vec<f64> {
        let Some(since) = timeline.clock.of_stamp(since) else { return Vec::new() };
        let ends: Vec<_> =
            self.epochs.iter().filter_map(|epoch| timeline.clock.of_stamp(epoch.until.as_ref()?)).collect();
        let released: HashSet<_> = records
            .records
            .iter()
            .filter_map(|record| match &record.body {
                Body::HoldEnd { shard: Some(shard), token, reason, .. } if reason == "released" => {
                    Some((&record.replica, *shard, *token))
                }
                _ => None,
            })
            .collect();
        let mut times = Vec::new();
        for holds in timeline.by_shard().values() {
            for pair in holds.windows(2) {
                let [hold, next] = pair else { continue };
                // Where an installation ended, nobody was there to hand over to.
                let left = ends.iter().any(|end| hold.valid.from < *end && *end < next.acquired);
                if !left
                    && hold.valid.to >= since
                    && released.contains(&(&hold.replica, hold.shard, hold.token))
                {
                    times.push(millis(next.acquired.since(hold.valid.to)));
                }
            }
        }
        times
    }

    /// Whether the gap is within the bound if it is measured from the end of an absence that it lasted into.
    fn excused(&self, unowned: &Violation, epoch: &Epoch, timeline: &Timeline) -> bool {
        let moment = |stamp: &Stamp| timeline.clock.of_stamp(stamp);
        let mut absences =
            self.absences.iter().filter_map(|absence| Some((moment(&absence.from)?, moment(&absence.to)?)));
        let Some(next) = unowned.second else { return false };
        absences.any(|(from, to): (Moment, Moment)| from < next.from && next.from.since(to) <= epoch.bound)
    }
}

/// A sentence without the fractions of its numbers. More records move the clock that all times are placed on by a microsecond, and a
/// violation is reported once.
fn coarse(sentence: &str) -> String {
    let mut fraction = false;
    let kept = sentence.chars().filter(|c| {
        fraction = *c == '.' || (fraction && c.is_ascii_digit());
        !fraction
    });
    kept.collect()
}

/// The processes that began in an epoch.
fn started_in<'a>(epoch: &Epoch, observations: &Collected, elected: &'a RecordLog) -> HashSet<&'a Replica> {
    let within = |at: &Stamp| {
        at.boot >= epoch.since.boot && epoch.until.as_ref().is_none_or(|until| at.boot < until.boot)
    };
    let starts = elected.records.iter().filter(|record| matches!(record.body, Body::ReplicaStart { .. }));
    let here = starts.filter(|record| {
        let at = Stamp { boot: record.boot, boot_id: record.boot_id.clone() };
        observations.namespace_of.get(&record.replica).is_some_and(|one| *one == epoch.namespace)
            && within(&at)
    });
    here.map(|record| &record.replica).collect()
}

fn rules(observations: &Collected, transit: Duration) -> Rules {
    Rules {
        writes: WriteRules {
            judged: vec![
                JudgedResource::new("cache.example.com", "memcacheds", Owner::Itself),
                JudgedResource::new("apps", "statefulsets", Owner::SameName),
                JudgedResource::new("", "services", Owner::SameName),
                JudgedResource::new("policy", "poddisruptionbudgets", Owner::SameName),
            ],
            users: observations.users.iter().map(|(user, pod)| (user.clone(), pod.clone())).collect(),
            ..WriteRules::default()
        },
        transit,
        waiting_bound: Some(WAITING_BOUND),
        ..Rules::default()
    }
}

#[cfg(test)]
mod tests {
    use super::coarse;

    #[test]
    fn sentences_that_differ_in_microseconds_are_one() {
        assert_eq!(coarse("at +164.817886 s, 3.9s late"), coarse("at +164.817885 s, 3.8s late"));
        assert_ne!(coarse("at +164.8 s"), coarse("at +165.8 s"));
    }
}
