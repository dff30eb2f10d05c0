//! The promises, each checked where it could be broken. The checks look at clocks, deliveries and the API server's log,
//! and at nothing inside the electors but what they give out.

use std::collections::BTreeMap;
use std::time::Duration;

use lease_core::{AttemptId, EndReason, WriteKind};
use lease_core::{Event, FencingToken, Identity, Monotonic, ObservedLease, ResourceVersion, Validity, Write};

use super::api::Change;
use super::queue::Request;
use super::rewind::Proofs;
use super::{Violation, World};

/// What is remembered across all nodes.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    last_token: Option<FencingToken>,
    calm_since: Option<Duration>,
    settled: Option<Settled>,
}

/// How things stood when the bound after the last fault had passed.
#[derive(Debug)]
struct Settled {
    leader: usize,
    since: Duration,
    requests: Vec<u64>,
}

/// What is remembered of one process.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    since: Duration,
    pub(crate) requests: u64,
    /// The version that its last accepted write left behind.
    landed: Option<u64>,
    /// The newest version that it was shown in which somebody else holds the Lease, or nobody.
    shown_other: u64,
    most_transitions: Option<u32>,
    /// The version of the acquisition that began its term.
    token: u64,
    /// When its writes were sent, on its monotonic clock, and when the last of those that landed was.
    sent: BTreeMap<AttemptId, Monotonic>,
    last_sent: Monotonic,
    /// Its validity after the last event.
    validity: Option<Validity>,
    /// Events that entitle it to a request.
    news: u32,
    pub(crate) proofs: Proofs,
    /// Its term began in a history that is gone, and this is the version that it knew of it: to renew upon one that is not above is to
    /// go on against the proof. Once somebody has written more into the Lease than was lost, nothing proves it any more.
    owes_end: Option<ResourceVersion>,
}

impl Watcher {
    pub(crate) fn become_calm(&mut self, at: Duration) {
        self.calm_since = Some(at);
    }

    /// etcd was restored: tokens begin anew, lower than some of before.
    pub(crate) fn history_is_gone(&mut self) {
        self.last_token = None;
    }
}

impl Ledger {
    pub(crate) fn new(since: Duration) -> Self {
        Self { since, ..Self::default() }
    }

    /// etcd was restored: nothing that it saw counts against it. `owes_end`: what it knows, if it holds a term and that was after the
    /// backup.
    pub(crate) fn history_is_gone(&mut self, owes_end: Option<ResourceVersion>) {
        self.shown_other = 0;
        self.owes_end = owes_end;
    }

    /// An event is about to be handed over.
    pub(crate) fn observe(&mut self, event: &Event, identity: &Identity) {
        let answer = matches!(
            event,
            Event::Read(_)
                | Event::ReadFailed { .. }
                | Event::WriteLanded(..)
                | Event::WriteRefused(..)
                | Event::WriteUnknown(_)
        );
        if !answer && !matches!(event, Event::Timeout | Event::Unanswered { .. }) {
            self.news += 1;
        }
        let (Event::Watched(lease) | Event::Read(Some(lease)) | Event::WriteLanded(_, Some(lease))) = event
        else {
            return;
        };
        self.proofs.observe(event, lease);
        // A Lease in nobody's name carries the number of the holder to come.
        let unused = u32::from(lease.record.is_reserved());
        self.most_transitions = self.most_transitions.max(lease.record.transitions.checked_sub(unused));
        if !lease.record.is_held_by(identity) {
            self.shown_other = self.shown_other.max(lease.revision.version.0);
        }
    }

    /// The answer to a read is about to be handed over.
    pub(crate) fn reads(&mut self, version: u64, lease: Option<&ObservedLease>) {
        if lease.is_none() {
            self.shown_other = self.shown_other.max(version);
        }
    }
}

impl World {
    /// At every instant: one valid holder at most, and none that was told better.
    pub(crate) fn check(&mut self) -> Result<(), Violation> {
        let valid: Vec<_> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].is_valid(self.now)).collect();
        if valid.len() > 1 {
            return Err(self.violation("one valid holder", format!("nodes {valid:?} are valid at once")));
        }
        if let Some(&node) = valid.first()
            && let Some(process) = &self.nodes[node].process
        {
            let ledger = &process.ledger;
            let Some(landed) = ledger.landed else {
                let what = format!("node {node} is valid, and none of its writes ever landed");
                return Err(self.violation("valid by a write that landed", what));
            };
            if ledger.shown_other > landed {
                let what =
                    format!("node {node} is valid by version {landed}, and saw {}", ledger.shown_other);
                return Err(self.violation("another holder seen is the end", what));
            }
        }
        self.check_settled(valid.first().copied())
    }

    /// Once the bound has passed, somebody leads and goes on leading.
    fn check_settled(&mut self, valid: Option<usize>) -> Result<(), Violation> {
        let bound = self.plan.recovery_bound();
        if self.watcher.calm_since.is_none_or(|since| self.now < since + bound) {
            return Ok(());
        }
        let Some(valid) = valid else {
            return Err(
                self.violation("somebody leads", format!("nobody is valid, {bound:?} after the last fault"))
            );
        };
        let requests =
            || self.nodes.iter().map(|node| node.process.as_ref().map_or(0, |of| of.ledger.requests));
        match &self.watcher.settled {
            None => {
                let requests = requests().collect();
                self.watcher.settled = Some(Settled { leader: valid, since: self.now, requests });
                Ok(())
            }
            Some(settled) if settled.leader == valid => Ok(()),
            Some(settled) => {
                let what = format!("from node {} to node {valid}, with no fault at all", settled.leader);
                Err(self.violation("nothing changes without a reason", what))
            }
        }
    }

    /// In quiet times a leader renews once per RetryPeriod, and the others watch.
    pub(crate) fn check_quiet(&mut self) -> Result<(), Violation> {
        let Some(settled) = &self.watcher.settled else { return Ok(()) };
        let span = self.now.saturating_sub(settled.since);
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(process) = &node.process else { continue };
            let requests = process.ledger.requests - settled.requests[index];
            let period = node.settings.timings.retry_period();
            // Of unlike settings, a nervous standby may look between two renewals of a lazy leader.
            let allowed = match (index == settled.leader, self.plan.is_uniform()) {
                (true, _) => times(span, period) + 1,
                (false, true) => 0,
                (false, false) => times(span, 2 * period) + 1,
            };
            if requests > allowed {
                let what =
                    format!("node {index} sent {requests} requests in {span:?}, {allowed} are allowed");
                return Err(self.violation("quiet times are quiet", what));
            }
        }
        Ok(())
    }

    /// The bound after the end of a leader has passed.
    pub(crate) fn check_succession(&mut self, bound: Duration) -> Result<(), Violation> {
        if (0..self.nodes.len()).any(|node| self.nodes[node].is_valid(self.now)) {
            self.stats.count("succession in quiet times");
            return Ok(());
        }
        let what = format!("nobody is valid {bound:?} after the leader died or was told to step down");
        Err(self.violation("succession within the bound", what))
    }

    /// A write goes out.
    pub(crate) fn check_sent(&mut self, node: usize, write: &Write) -> Result<(), Violation> {
        let at = &mut self.nodes[node];
        let now = at.clocks.now(self.now).monotonic;
        let Some(process) = &mut at.process else { return Ok(()) };
        process.ledger.sent.insert(write.attempt, now);
        process.ledger.proofs.sends(write.attempt);
        let kind = write.kind;
        if kind == WriteKind::Renew {
            if process.wedged_until.is_some() {
                let what = format!("node {node} renews for work that shows no sign of life");
                return Err(self.violation("no renewal for the dead", what));
            }
        } else if process.work.is_some() {
            let what = format!("node {node} sends {kind:?} while its work runs");
            return Err(self.violation("work ends first", what));
        }
        let own = process.elector.lease().is_some_and(|lease| lease.record.is_held_by(&process.identity));
        let most = process.ledger.most_transitions;
        if matches!(kind, WriteKind::Reserve | WriteKind::Acquire)
            && !own
            && most.is_some_and(|most| write.record.transitions <= most)
        {
            let what = format!("node {node} saw {most:?} and writes {}", write.record.transitions);
            return Err(self.violation("leaseTransitions grows", what));
        }
        Ok(())
    }

    /// A write was accepted.
    pub(crate) fn check_landed(
        &mut self,
        request: &Request,
        before: Option<&ObservedLease>,
    ) -> Result<(), Violation> {
        let Some(write) = &request.write else { return Ok(()) };
        let writer = &request.writer;
        if let Some(before) = before.map(|before| &before.record) {
            if before.renew_time.is_some_and(|renewed| write.record.renew_time <= Some(renewed)) {
                let what =
                    format!("{writer} wrote {:?} over {:?}", write.record.renew_time, before.renew_time);
                return Err(self.violation("renewTime grows", what));
            }
            let taken = write.kind == WriteKind::Acquire && !before.is_held_by(writer);
            if taken && write.record.transitions + u32::from(before.is_reserved()) <= before.transitions {
                let what = format!("{writer} wrote {} over {}", write.record.transitions, before.transitions);
                return Err(self.violation("leaseTransitions grows", what));
            }
        }
        let gives_up = matches!(write.kind, WriteKind::Release | WriteKind::Delete);
        if gives_up && !before.is_some_and(|before| before.record.is_held_by(writer)) {
            let what = format!("{writer} released {before:?}");
            return Err(self.violation("only the holder releases", what));
        }
        if write.base.is_some() && before.is_none() {
            let what = format!("{writer} updated a Lease that was deleted: {write:?}");
            return Err(self.violation("what is deleted stays deleted", what));
        }
        let version = self.api.version();
        let outlives = self.nodes[request.node].process.as_ref().is_some_and(|process| {
            let against_proof = process
                .ledger
                .owes_end
                .is_some_and(|known| write.base.as_ref().is_none_or(|base| base.version <= known));
            against_proof && process.identity == *writer && write.kind == WriteKind::Renew
        });
        if outlives {
            let what = format!("{writer} renews a term of a history that is gone, at version {version}");
            return Err(self.violation("a term ends with its history", what));
        }
        if let Some(process) = &mut self.nodes[request.node].process
            && process.identity == *writer
        {
            let ledger = &mut process.ledger;
            ledger.landed = Some(version);
            ledger.last_sent = ledger.last_sent.max(ledger.sent[&write.attempt]);
        }
        Ok(())
    }

    /// A term begins.
    pub(crate) fn check_start(&mut self, node: usize, token: FencingToken) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        process.ledger.token = token.0;
        process.ledger.owes_end = None;
        if process.work.is_some() {
            let what = format!("node {node} starts its work while its work runs");
            return Err(self.violation("work ends first", what));
        }
        if self.watcher.last_token.is_some_and(|last| token <= last) {
            let what = format!("node {node} starts with {token}, after {:?}", self.watcher.last_token);
            return Err(self.violation("fencing tokens grow", what));
        }
        self.watcher.last_token = Some(token);
        self.stats.count("term");
        Ok(())
    }

    /// A term ended: for the reason that is given?
    pub(crate) fn check_ended(&mut self, node: usize, reason: &EndReason) -> Result<(), Violation> {
        let now = self.nodes[node].clocks.now(self.now);
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        process.ledger.owes_end = None;
        let ledger = &process.ledger;
        let since = usize::try_from(ledger.token).expect("a simulated log is short");
        let mut since = self.api.log().get(since..).unwrap_or_else(|| self.api.log()).iter();
        let (what, is_true) = match reason {
            EndReason::Lapsed => {
                ("term lapsed", !ledger.validity.is_some_and(|validity| validity.holds_at(now)))
            }
            EndReason::Taken(holder) => (
                "term ended by another holder",
                since.any(|change| matches!(change, Change::State(of) if of.record.holder == *holder)),
            ),
            EndReason::Vanished => {
                ("term ended by deletion", since.any(|change| matches!(change, Change::Gone(_))))
            }
            EndReason::Rewound => ("term ended by a restore", self.rewinds > 0),
            EndReason::Released | EndReason::DrainTimeout => ("term released", true),
            // Nobody here tells a candidate to.
            EndReason::Abandoned => ("term abandoned", false),
        };
        self.stats.count(what);
        if is_true {
            Ok(())
        } else {
            Err(self.violation("a term ends for a reason", format!("node {node} ended its term: {reason}")))
        }
    }

    /// After every event: the next alarm is in the future, not later than the end of validity, and not too often.
    pub(crate) fn check_told(&mut self, node: usize) -> Result<(), Violation> {
        let at = &mut self.nodes[node];
        let now = at.clocks.now(self.now);
        let Some(process) = &mut at.process else { return Ok(()) };
        let owed = process.ledger.proofs.owed();
        let validity = process.elector.validity();
        process.ledger.validity = validity;
        let lapses = validity.and_then(|validity| validity.remaining(now)).map(|left| now.monotonic + left);
        let alarm = process.elector.next_timeout();
        let others_may = process.ledger.last_sent + at.settings.timings.lease_duration();
        let hurry = at.settings.timings.hurried_retry();
        let lifetime = self.now.saturating_sub(process.ledger.since);
        let (requests, news) = (process.ledger.requests, u64::from(process.ledger.news));
        // A leader whose renewals fail at once reads after each; everyone else is slower.
        let allowed = 2 * times(lifetime, hurry) + 2 * news + 4;
        if alarm.is_some_and(|alarm| alarm <= now.monotonic) {
            let what = format!("node {node} wants to be called at {alarm:?}, it is {:?}", now.monotonic);
            return Err(self.violation("alarms lie ahead", what));
        }
        // The two clocks are computed one by one, and may differ by a rounding.
        let rounding = Duration::from_micros(1);
        if lapses.is_some_and(|lapses| alarm.is_none_or(|alarm| alarm > lapses + rounding)) {
            let what =
                format!("node {node} wants to be called at {alarm:?}, its validity ends at {lapses:?}");
            return Err(self.violation("called at the end of validity", what));
        }
        if process.work.is_some() && validity.is_none() && now.monotonic >= others_may {
            let what =
                format!("node {node} still works at {:?}, others may since {others_may:?}", now.monotonic);
            return Err(self.violation("work is gone by LeaseDuration", what));
        }
        if let Some((known, landed)) = owed {
            let what =
                format!("node {node} knew {known}, its write became {landed}, and it claims no rewind");
            return Err(self.violation("a write below what was known proves a rewind", what));
        }
        if requests > allowed {
            let what = format!("node {node} sent {requests} requests in {lifetime:?} with {news} events");
            return Err(self.violation("bounded traffic", what));
        }
        Ok(())
    }
}

/// How often `period` fits into `span`, by a clock that may be fast.
fn times(span: Duration, period: Duration) -> u64 {
    let span = span.mul_f64(1.0 + super::plan::DRIFT);
    u64::try_from(span.as_nanos() / period.as_nanos()).expect("a simulated time is short") + 1
}
