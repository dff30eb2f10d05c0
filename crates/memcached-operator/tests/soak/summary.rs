//! What happened, for people.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use overlap_checker::Moment;
use overlap_checker::records::{Body, Outcome, Shard, Stamp, Uid};

use crate::fault_schedule::FaultKind;
use crate::injection::{InjectedFault, Injection};
use crate::judgement::Judgement;
use crate::settings::UNOWNED_BOUND;
use crate::users::Users;

/// The run in numbers, with the checker's verdict.
pub(crate) fn of(
    judgement: &Judgement,
    injection: &Injection,
    users: &Users,
    overruns: u32,
    slow_times: &[(Stamp, Stamp)],
) -> String {
    let mut text = String::from("checker (records of all replicas, audit log of the API server):\n");
    let _ = write!(text, "{}", judgement.verdict);
    let _ = writeln!(text, "{}", reconciles(judgement));
    let done: Vec<_> = users.done.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let _ = writeln!(text, "users: {}", done.join(", "));
    for kind in FaultKind::ALL {
        let injected = injection.injected.iter().filter(|fault| fault.kind == kind).count();
        let hits = judgement.hits(injection, kind);
        let _ = writeln!(text, "fault {kind:?}: {injected} injected, {hits} of them on running reconciles");
    }
    let _ = writeln!(
        text,
        "of those stopped, {overruns} had to end when they went on, with work that was not joined in time"
    );
    let _ = writeln!(text, "{}", fault_lines(judgement, injection));
    let _ = writeln!(text, "{}", takeovers(judgement));
    let _ = writeln!(text, "{}", waits(judgement, users));
    let _ = writeln!(text, "{}", unowned(judgement));
    let _ = writeln!(text, "writes that a stopped process sent when it went on: {}", judgement.woken.len());
    let _ = writeln!(
        text,
        "longer gaps that began or lasted while the API server did not answer (for {SLOW_FROM} or longer: {}): {}",
        slow(slow_times),
        judgement.outages.len()
    );
    text
}

fn reconciles(judgement: &Judgement) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for record in &judgement.records.records {
        let what = match &record.body {
            Body::Begin { .. } => "begun",
            Body::End { outcome: Outcome::Ok, .. } => "ended well",
            Body::End { .. } => "ended with an error",
            Body::Aborted { .. } => "aborted",
            Body::HoldBegin { shard: Some(_), .. } => "holds begun",
            _ => continue,
        };
        *counts.entry(what).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
    format!("records: {}", counts.join(", "))
}

/// When each fault came, on the checker's clock.
fn fault_lines(judgement: &Judgement, injection: &Injection) -> String {
    let clock = &judgement.timeline.clock;
    let show = |at: &Option<Stamp>| {
        let at = at.as_ref().and_then(|at| clock.of_stamp(at));
        at.map_or("never".to_owned(), |at| clock.show(at).to_string())
    };
    let line = |fault: &InjectedFault| {
        let over = fault.over.is_some().then(|| format!(", over at {}", show(&fault.over)));
        let pod = fault.pod.as_deref().unwrap_or("the API server");
        let at = show(&Some(fault.at.clone()));
        format!("  {at} {:?} {pod}{}", fault.kind, over.unwrap_or_default())
    };
    injection.injected.iter().map(line).collect::<Vec<_>>().join("\n")
}

const SLOW_FROM: &str = "1s";

fn slow(times: &[(Stamp, Stamp)]) -> String {
    let lengths = times.iter().map(|(from, to)| to.boot.since(from.boot));
    format!("{} times, longest {:.1?}", times.len(), lengths.max().unwrap_or_default())
}

/// What the bound is about.
fn takeovers(judgement: &Judgement) -> String {
    let owned = judgement.takeovers.iter().filter_map(|takeover| takeover.owned_after);
    let mut owned: Vec<Duration> = owned.collect();
    owned.sort_unstable();
    let (count, longest) = (owned.len(), owned.last().copied().unwrap_or_default());
    let median = owned.get(count / 2).copied().unwrap_or_default();
    format!(
        "from a kill or stop to the next owner: {count} shards, median {median:.1?}, longest {longest:.1?} \
         (bound {UNOWNED_BOUND:?})"
    )
}

/// No bound is promised here.
fn waits(judgement: &Judgement, users: &Users) -> String {
    let timeline = &judgement.timeline;
    let mut first: HashMap<&Uid, Moment> = HashMap::new();
    for reconcile in &timeline.reconciles {
        if let Some((at, Outcome::Ok)) = reconcile.end {
            let known = first.entry(&reconcile.uid).or_insert(at);
            *known = at.min(*known);
        }
    }
    let waited = users.desired.history.iter().filter_map(|created| {
        let done = first.get(created.uid.as_ref()?)?;
        Some(done.since(timeline.clock.of_stamp(&created.created)?))
    });
    let mut waited: Vec<Duration> = waited.collect();
    waited.sort_unstable();
    let (count, longest) = (waited.len(), waited.last().copied().unwrap_or_default());
    let median = waited.get(count / 2).copied().unwrap_or_default();
    format!(
        "from a creation to its first good reconcile: {count}, median {median:.1?}, longest {longest:.1?}"
    )
}

/// The longest time from the end of a hold to the next one, by shard. From the end of validity: the checker counts from
/// the fault where there was one.
fn unowned(judgement: &Judgement) -> String {
    let mut longest: BTreeMap<Shard, Duration> = BTreeMap::new();
    for (shard, holds) in judgement.timeline.by_shard() {
        for pair in holds.windows(2) {
            let gap = pair[1].acquired.since(pair[0].valid.to);
            let known = longest.entry(shard).or_default();
            *known = gap.max(*known);
        }
    }
    let longest: Vec<_> = longest.into_iter().map(|(shard, gap)| format!("{shard}: {gap:.1?}")).collect();
    format!("longest without a valid owner, by shard (bound {UNOWNED_BOUND:?}): {}", longest.join(", "))
}
