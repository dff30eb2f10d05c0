//! The verdict over all that was observed, and what the faults of the test itself excuse.

use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::{RecordLog, Replica, Shard, Stamp};
use overlap_checker::{
    AuditLog, Fault, Observations, Rules, Takeover, Timeline, Verdict, Violation, judge, takeovers,
};

use crate::excuses::Excuses;
use crate::injection::{InjectedFault, Injection};

use crate::fault_schedule::FaultKind;
use crate::fleet::records_file;
use crate::harness::Harness;
use crate::settings::{REPLICAS, SHARDS, TRANSIT, UNOWNED_BOUND};
use crate::users::Users;

/// The longest that a new resource may be unstamped or un-reconciled. Nothing is promised about that but that it ends: how
/// long it takes follows from how many reconciles a shard has to do, and each handover begins anew.
const WAITING_BOUND: Duration = Duration::from_secs(200);

/// What was observed.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) timeline: Timeline,
    pub(crate) records: RecordLog,
    /// Violations that nothing excuses.
    pub(crate) violations: Vec<Violation>,
    /// Shards without an owner while the API server did not answer.
    pub(crate) outages: Vec<Violation>,
    /// Requests that a stopped process had checked before and sent after. No check in a client can prevent that, so the
    /// promise assumes that it does not happen; it goes from here once the API server itself fences.
    pub(crate) woken: Vec<Violation>,
    /// From each kill or stop to the next owner, by shard that was lost.
    pub(crate) takeovers: Vec<Takeover>,
}

impl Judgement {
    /// Judges the records of all replicas and the audit log.
    pub(crate) fn new(harness: &Harness, injection: &Injection, users: &Users, until: Stamp) -> Self {
        // The audit log first: with replicas still running, the records then explain every write that was read.
        let audit = harness.cluster.audit_log().expect("an audit log is asked for by default");
        let audit = AuditLog::read_file(&audit).expect("the audit log can be read");
        let mut records = RecordLog::default();
        for number in 0..REPLICAS {
            records.read_file(&records_file(&harness.dir, number)).expect("records can be read");
        }
        let timeline = Timeline::new(&records.records);
        let observations = Observations {
            records: records.clone(),
            audit: Some(audit),
            faults: injection.injected.iter().filter_map(|fault| taken_out(&timeline, fault)).collect(),
            ended: Vec::new(),
            crs: users.desired.history.clone(),
            shards: (0..SHARDS).map(Shard).collect(),
            since: None,
            lifetimes: BTreeMap::new(),
            until: Some(until),
        };
        let verdict = judge(&observations, &rules());
        let faults = observations.faults.iter();
        let takeovers = faults.filter_map(|fault| takeovers(&timeline, &fault.replica, &fault.at)).flatten();
        let takeovers = takeovers.collect();
        let excuses = Excuses::new(&timeline, injection, &harness.probe.slow());
        let (mut violations, mut outages, mut woken) = (Vec::new(), Vec::new(), Vec::new());
        for check in &verdict.checks {
            for violation in &check.violations {
                let pile = match check.name {
                    "unowned" if excuses.outage(violation) => &mut outages,
                    "writes" if excuses.waking(violation) => &mut woken,
                    _ => &mut violations,
                };
                pile.push(violation.clone());
            }
        }
        Self { verdict, timeline, records, violations, outages, woken, takeovers }
    }

    /// Panics unless the promise was kept, and every kind of fault has hit a reconcile.
    pub(crate) fn assert_kept(&self, injection: &Injection) {
        let sentences: Vec<_> = self.violations.iter().map(|violation| violation.sentence.as_str()).collect();
        assert!(sentences.is_empty(), "the promise was broken:\n{}", sentences.join("\n"));
        let problems = &self.verdict.data_problems;
        assert!(problems.is_empty(), "the data cannot be trusted:\n{}", problems.join("\n"));
        assert!(
            injection.problems.is_empty(),
            "replicas did not end well:\n{}",
            injection.problems.join("\n")
        );
        assert!(
            self.are_slow(),
            "reconciles do not take their time; is the operator built with the feature mutants?"
        );
        for kind in FaultKind::ALL {
            assert!(
                self.hits(injection, kind) > 0,
                "no {kind:?} has hit a running reconcile, so it showed nothing"
            );
        }
    }

    /// Whether most reconciles take the time that they are made to take.
    fn are_slow(&self) -> bool {
        const SHORTEST: Duration = Duration::from_millis(200);
        let ended = self.timeline.reconciles.iter().filter(|reconcile| reconcile.end.is_some());
        let (slow, quick): (Vec<_>, Vec<_>) =
            ended.partition(|reconcile| reconcile.ran.to.since(reconcile.ran.from) >= SHORTEST);
        slow.len() > quick.len()
    }

    /// How many faults of this kind came while the victim (anyone, for the API server) was reconciling.
    pub(crate) fn hits(&self, injection: &Injection, kind: FaultKind) -> usize {
        let hit = |fault: &&InjectedFault| {
            let Some(at) = self.timeline.clock.of_stamp(&fault.at) else { return false };
            let victim = |replica: &Replica| fault.pod.as_deref().is_none_or(|pod| replica.pod() == pod);
            let mut running = self.timeline.reconciles.iter();
            running.any(|one| victim(&one.replica) && one.ran.from <= at && at < one.ran.to)
        };
        injection.injected.iter().filter(|fault| fault.kind == kind).filter(hit).count()
    }
}

fn rules() -> Rules {
    Rules {
        writes: ::fleet::write_rules(REPLICAS),
        transit: TRANSIT,
        unowned_bound: Some(UNOWNED_BOUND),
        waiting_bound: Some(WAITING_BOUND),
        ..Rules::default()
    }
}

/// A process that was killed or stopped: the bound counts from there. None for one that had not begun to record.
fn taken_out(timeline: &Timeline, fault: &InjectedFault) -> Option<Fault> {
    let at = timeline.clock.of_stamp(&fault.at)?;
    if !matches!(fault.kind, FaultKind::Kill | FaultKind::Freeze) {
        return None;
    }
    let of_pod = timeline.replicas.iter().filter(|(replica, _)| Some(replica.pod()) == fault.pod.as_deref());
    let (replica, _) = of_pod.filter(|(_, seen)| seen.from <= at).max_by_key(|(_, seen)| seen.from)?;
    Some(Fault { replica: replica.clone(), at: fault.at.clone() })
}
