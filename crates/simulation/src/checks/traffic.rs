//! Replicas cause no more traffic about Leases than they have to.
//!
//! **In quiet stretches**, that is from LeaseDuration (or [`Bounds::recovery`], if that is longer) after a fault until the
//! next one, a replica sends, with its clock running at `rate` over a stretch of length `s`:
//!
//! - renewals: for each Lease that it holds, one each RetryPeriod, and one more for the rounding;
//! - looks: at each Lease that it contends for, one each two RetryPeriods while nothing is heard of it for longer than
//!   that, and one more. A Lease that is renewed is not looked at: that is what the watch is for;
//! - news: up to [`PER_NEWS`] requests for each change of any Lease that is more than a renewal;
//! - the watch: a list and a watch for each [`WATCH_LIFETIME`] begun;
//! - records: one read before each bucket that it tries to record, as it makes sure of the layout first.
//!
//! **Over its whole life**, faults included, it never sends more than two requests about a Lease each RP / 4 (the shortest pause
//! after a failure: a write, and the read that follows) and two for each change that it hears of, and as much again for
//! its watch and for what the coordinator writes. This is no economy; it is what tells retries from a hot loop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Check;
use super::bounds::{Bounds, most_shards};
use super::leases::{Histories, Role};
use super::reconciles::Place;
use super::span::{Span, near};
use crate::observations::{LeaseState, Observations, Process};
use crate::time::TrueTime;

/// A contender tries and is refused, reads, tries again, and confirms the layout; or it reads and releases, for the plan
/// to be published by one more renewal. The coordinator, on its first term, reads, lists and commits, which are news again.
const PER_NEWS: u64 = 4;

/// kube-runtime asks for watches of 290 s.
const WATCH_LIFETIME: Duration = Duration::from_secs(290);

/// A list, and a watch.
const PER_WATCH: u64 = 2;

/// Judges the requests of every process.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds) -> Check {
    let mut check = Check::new("traffic");
    let requests = requests(observations);
    let recordings = recordings(observations);
    let leases: Vec<Lease<'_>> =
        histories.all().map(|(name, states)| Lease::of(name, states, observations.ended, bounds)).collect();
    let most_shards = most_shards(&observations.schedule);
    for process in &observations.processes {
        let Some(sent) = requests.get(process.identity.0.as_str()) else { continue };
        let life = Span::new(process.started, process.ended.map_or(observations.ended, |(at, _)| at));
        let mut compare = |span: Span, allowed: u64, when: &str| {
            let count = in_span(sent, span);
            check.judged += count;
            if count > allowed {
                check.violated(
                    span.from,
                    format!(
                        "{} sent {count} requests about Leases from {} to {}, {when}; {allowed} are allowed.",
                        process.identity, span.from, span.to
                    ),
                );
            }
        };
        for stretch in quiet(process, life, observations, bounds) {
            let recorded =
                recordings.get(process.identity.0.as_str()).map_or(0, |sent| in_span(sent, stretch));
            let allowed = allowed_in_quiet(process, stretch, &leases, bounds) + recorded;
            compare(stretch, allowed, "while nothing was wrong");
        }
        compare(life, allowed_ever(process, life, &leases, most_shards, bounds), "in all its life");
    }
    check
}

/// When each process sent a request about Leases, in order.
fn requests(observations: &Observations) -> BTreeMap<&str, Vec<TrueTime>> {
    let mut requests: BTreeMap<&str, Vec<TrueTime>> = BTreeMap::new();
    for request in &observations.requests {
        let Some(by) = &request.by else { continue };
        let path = request.uri.split('?').next().unwrap_or_default();
        if Place::of(path).is_some_and(|place| place.resource == "leases") {
            requests.entry(&by.0).or_default().push(request.sent);
        }
    }
    for sent in requests.values_mut() {
        sent.sort_unstable();
    }
    requests
}

/// When each process tried to record a bucket, in order.
fn recordings(observations: &Observations) -> BTreeMap<&str, Vec<TrueTime>> {
    let mut recordings: BTreeMap<&str, Vec<TrueTime>> = BTreeMap::new();
    for request in &observations.requests {
        let Some(by) = &request.by else { continue };
        let (path, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
        if path.ends_with("/status") && query.contains("fieldManager=shard-router") {
            recordings.entry(&by.0).or_default().push(request.sent);
        }
    }
    for sent in recordings.values_mut() {
        sent.sort_unstable();
    }
    recordings
}

fn in_span(sorted: &[TrueTime], span: Span) -> u64 {
    let before = |at| sorted.partition_point(|other| *other < at);
    (before(span.to) - before(span.from)) as u64
}

/// What matters of one Lease.
struct Lease<'a> {
    role: Role,
    /// Who held it when, each with its spans in order.
    held: BTreeMap<&'a str, Vec<Span>>,
    /// When nothing had been heard of it for two RetryPeriods.
    silent: Vec<Span>,
    /// When it changed, and when it changed more than by a renewal.
    changes: Vec<TrueTime>,
    news: Vec<TrueTime>,
}

impl<'a> Lease<'a> {
    fn of(name: &'a str, states: &[&'a LeaseState], ended: TrueTime, bounds: &Bounds) -> Self {
        let mut lease = Self {
            role: Role::of(name),
            held: BTreeMap::new(),
            silent: Vec::new(),
            changes: Vec::new(),
            news: Vec::new(),
        };
        let mut before: Option<&LeaseState> = None;
        for state in states {
            lease.until(before, state.at, bounds);
            lease.changes.push(state.at);
            if before.is_none_or(|before| !is_renewal(before, state)) {
                lease.news.push(state.at);
            }
            before = Some(state);
        }
        lease.until(before, ended, bounds);
        lease
    }

    /// It stayed as it was from one state until the next.
    fn until(&mut self, state: Option<&'a LeaseState>, next: TrueTime, bounds: &Bounds) {
        let from = state.map_or(TrueTime::START, |state| state.at);
        self.silent.push(Span::new(from + 2 * bounds.retry_period(), next));
        self.silent.retain(|span| !span.is_empty());
        if let Some(holder) = state.and_then(|state| state.spec.as_ref()?.held_by()) {
            let held = self.held.entry(holder).or_default();
            match held.last_mut() {
                Some(last) if last.to == from => last.to = next,
                _ => held.push(Span::new(from, next)),
            }
        }
    }

    /// Whether this process contends for it.
    fn concerns(&self, process: &Process) -> bool {
        self.role != Role::Member || self.held.contains_key(process.identity.0.as_str())
    }

    fn held_by(&self, process: &Process) -> &[Span] {
        self.held.get(process.identity.0.as_str()).map_or(&[], Vec::as_slice)
    }
}

fn is_renewal(before: &LeaseState, state: &LeaseState) -> bool {
    let holder = |state: &LeaseState| state.spec.as_ref().map(|spec| spec.holder.clone());
    before.spec.is_some()
        && holder(before) == holder(state)
        && before.annotations == state.annotations
        && state.by.is_some()
}

/// When nothing was wrong, and had not been for a while.
fn quiet(process: &Process, life: Span, observations: &Observations, bounds: &Bounds) -> Vec<Span> {
    let recovery = bounds.recovery(process.rate);
    let after = observations.schedule.timings.lease_duration.max(recovery);
    let mut disturbed: Vec<Span> =
        observations.faults.iter().map(|fault| Span::new(fault.from, fault.to + after)).collect();
    disturbed.push(Span::new(process.started, process.started + after));
    let mut quiet = life.without(disturbed);
    quiet.retain(|span| span.length() > bounds.retry_period());
    quiet
}

fn allowed_in_quiet(process: &Process, stretch: Span, leases: &[Lease<'_>], bounds: &Bounds) -> u64 {
    let period = bounds.retry_period();
    let mut allowed = PER_WATCH * times(stretch.length(), WATCH_LIFETIME, process);
    for lease in leases {
        // News that came just before the stretch is acted upon in it.
        let heard = Span::new(stretch.from - period, stretch.to);
        allowed += PER_NEWS * in_span(&lease.news, heard);
        if lease.concerns(process) {
            let held = near(lease.held_by(process), stretch).map(|held| held.common(stretch).length());
            allowed += held.map(|held| times(held, period, process)).sum::<u64>();
            let silent = near(&lease.silent, stretch).map(|silent| silent.common(stretch).length());
            allowed += silent.map(|silent| times(silent, 2 * period, process)).sum::<u64>();
        }
    }
    allowed
}

fn allowed_ever(
    process: &Process,
    life: Span,
    leases: &[Lease<'_>],
    most_shards: u32,
    bounds: &Bounds,
) -> u64 {
    // Leases that were never there are asked for all the same: those of the shards, its own as a member, the
    // coordinator's. As much again for the watch, and for the coordinator.
    let asked_for = u64::from(most_shards) + 2;
    let paced = 2 * times(life.length(), bounds.hurried_retry(), process);
    let heard = leases.iter().map(|lease| 2 * in_span(&lease.changes, life)).sum::<u64>();
    2 * asked_for * paced + heard
}

/// How often `period` fits into a span by a process's clock, rounded up.
fn times(span: Duration, period: Duration, process: &Process) -> u64 {
    let local = span.mul_f64(process.rate);
    u64::try_from(local.as_nanos() / period.as_nanos().max(1)).unwrap_or(u64::MAX) + 1
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only, passes};

    const GET: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/op-shard-0";

    /// A renews shard 0 each RetryPeriod, and asks for it `more` times in between.
    fn renewing(more: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).ends(200_000).holds("a", 0, 20_000, 200_000);
        for nth in 0..more {
            run.request("a", "GET", GET, 70_000 + nth * 5, 200);
        }
        run
    }

    #[test]
    fn a_renewal_each_retry_period_passes() {
        assert!(passes(&renewing(0)).judged["traffic"] > 80);
    }

    #[test]
    fn to_poll_a_lease_that_is_renewed_is_caught() {
        let sentences = only(&renewing(200), "traffic");
        assert!(
            sentences[0].contains("a_1 sent") && sentences[0].contains("while nothing was wrong"),
            "{sentences:?}"
        );
    }

    #[test]
    fn retries_under_a_fault_pass_and_a_hot_loop_does_not() {
        let mut run = renewing(200);
        run.fault(crate::schedule::FaultKind::ApiDown, 69_000, 75_000);
        passes(&run);
        let mut run = renewing(20_000);
        run.fault(crate::schedule::FaultKind::ApiDown, 20_000, 180_000);
        let sentences = only(&run, "traffic");
        assert!(sentences[0].contains("in all its life"), "{sentences:?}");
    }
}
