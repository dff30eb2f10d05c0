//! The promises, each checked where it could be broken. The checks look at clocks, deliveries and the API server's log,
//! and at nothing inside the electors but what they give out.

mod ledger;
mod quiet;

use std::time::Duration;

use lease_core::{EndReason, FencingToken, ObservedLease, Write, WriteKind};

use super::api::Change;
use super::queue::Request;
use super::{Violation, World};

pub(crate) use ledger::{Ledger, Watcher};

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
        let taken_back = self.nodes[request.node].process.as_ref().is_some_and(|process| {
            let holder = before.and_then(|before| before.record.holder.as_ref());
            process.identity == *writer && process.ended.identities().any(|ended| Some(ended) == holder)
        });
        if taken_back && write.kind == WriteKind::Acquire {
            self.stats.count("Lease taken back from a process that has ended");
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
