//! What happened, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use kube_testkit::records::{Body, Outcome, Shard, Stamp};

use crate::chaos::{Chaos, Inflicted};
use crate::judgement::Judgement;
use crate::script::Blow;
use crate::settings::{TRANSIT, UNOWNED_BOUND};
use crate::users::Users;

/// The run in numbers, with the checker's verdict.
pub(crate) fn of(judgement: &Judgement, chaos: &Chaos, users: &Users) -> String {
    let mut text = String::from("checker (records of all replicas, audit log of the API server):\n");
    let _ = write!(text, "{}", judgement.verdict);
    let _ = writeln!(text, "{}", reconciles(judgement));
    let done: Vec<_> = users.done.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let _ = writeln!(text, "users: {}", done.join(", "));
    for blow in Blow::ALL {
        let inflicted = chaos.inflicted.iter().filter(|fault| fault.blow == blow).count();
        let hits = judgement.hits(chaos, blow);
        let _ = writeln!(text, "fault {blow:?}: {inflicted} inflicted, {hits} of them on running reconciles");
    }
    let _ = writeln!(text, "{}", story(judgement, chaos));
    let _ = writeln!(text, "{}", unowned(judgement));
    let late = judgement.in_transit;
    let _ = writeln!(
        text,
        "writes that arrived after the end of validity, within the {TRANSIT:?} assumed: {late}"
    );
    if !judgement.outages.is_empty() {
        let _ = writeln!(
            text,
            "besides, {} gaps that a restart of the API server lasted into: measured from its readiness",
            judgement.outages.len()
        );
    }
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
fn story(judgement: &Judgement, chaos: &Chaos) -> String {
    let clock = &judgement.timeline.clock;
    let show = |at: &Option<Stamp>| {
        let at = at.as_ref().and_then(|at| clock.of_stamp(at));
        at.map_or("never".to_owned(), |at| clock.show(at).to_string())
    };
    let line = |fault: &Inflicted| {
        let over = fault.over.is_some().then(|| format!(", over at {}", show(&fault.over)));
        let pod = fault.pod.as_deref().unwrap_or("the API server");
        let at = show(&Some(fault.at.clone()));
        format!("  {at} {:?} {pod}{}", fault.blow, over.unwrap_or_default())
    };
    chaos.inflicted.iter().map(line).collect::<Vec<_>>().join("\n")
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
