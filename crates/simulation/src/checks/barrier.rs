//! The takeover barrier: no reconcile begins before its replica has received a list of the shard that was taken after the acquisition.
//!
//! What the previous owner wrote last is in such a list, and need not be in any other: a list "as of resourceVersion 0" may be
//! answered from a cache of any age, and one that was asked for before the acquisition misses what came between. Besides the
//! replica's own word (its `start-ready` record), the request has to be seen.

use std::collections::{BTreeMap, HashMap};

use memcached_operator::crd::DOMAIN;
use overlap_checker::records::{Body, Replica, Shard, Token};
use overlap_checker::{Hold, Moment, Timeline};
use shard_router::{Layout, ShardId, selector};

use super::Check;
use super::reconciles::{Place, true_time};
use crate::observations::{AnswerFate, Observations, ReceivedRequest};
use crate::time::TrueTime;

/// Judges the first reconcile of each hold.
pub(super) fn check(observations: &Observations, timeline: &Timeline) -> Check {
    let mut check = Check::new("barrier");
    let ready = ready(observations);
    let lists = lists(observations);
    for (hold, begun) in first_begins(timeline) {
        check.judged += 1;
        let key = (&hold.replica, hold.shard, hold.token);
        let acquired = true_time(hold.acquired);
        let wrong = if ready.get(&key).is_none_or(|ready| *ready > begun) {
            "before the replica had noted that its cache was ready"
        } else if !lists
            .get(&(&hold.replica, hold.shard))
            .is_some_and(|lists| lists.iter().any(|list| list.sent >= acquired && list.answered <= begun))
        {
            "before a consistent list of the shard, asked for after the acquisition, was answered"
        } else {
            continue;
        };
        check.violated(
            begun,
            format!(
                "{} acquired shard {} at {acquired} and began its first reconcile at {begun}, {wrong}.",
                hold.replica, hold.shard
            ),
        );
    }
    check
}

pub(super) fn first_begins(timeline: &Timeline) -> impl Iterator<Item = (&Hold, TrueTime)> {
    let mut first: BTreeMap<usize, Moment> = BTreeMap::new();
    for reconcile in &timeline.reconciles {
        // A reconcile without a hold is for `begun-in-hold` to object to.
        let Some(hold) = reconcile.hold else { continue };
        let begun = first.entry(hold).or_insert(reconcile.begun);
        *begun = reconcile.begun.min(*begun);
    }
    first.into_iter().map(|(hold, begun)| (&timeline.holds[hold], true_time(begun)))
}

fn ready(observations: &Observations) -> HashMap<(&Replica, Shard, Token), TrueTime> {
    let ready = observations.records.iter().filter_map(|record| match &record.body {
        Body::StartReady { shard, token, .. } => {
            Some(((&record.replica, *shard, *token), TrueTime::of(record.boot)))
        }
        _ => None,
    });
    ready.collect()
}

/// A list that was answered.
struct Listed {
    sent: TrueTime,
    answered: TrueTime,
}

/// The consistent lists of each shard that each replica asked for.
fn lists(observations: &Observations) -> HashMap<(&Replica, Shard), Vec<Listed>> {
    let shards = observations.processes.iter().map(|process| process.shards);
    let selectors: HashMap<u16, _> = shards.map(|shards| (shards, selectors(shards))).collect();
    let set_to = |replica: &Replica| {
        observations
            .processes
            .iter()
            .find(|process| process.identity == *replica)
            .map(|process| process.shards)
    };
    let mut lists: HashMap<_, Vec<Listed>> = HashMap::new();
    for request in &observations.requests {
        if let Some((replica, selected, listed)) = listed(request)
            && let Some(shard) = set_to(replica).and_then(|shards| selectors.get(&shards)?.get(&selected))
        {
            lists.entry((replica, *shard)).or_default().push(listed);
        }
    }
    lists
}

/// What each shard's list selects.
fn selectors(shards: u16) -> HashMap<String, Shard> {
    let Ok(count) = shards.try_into() else { return HashMap::new() };
    let layout = Layout::first(count, None);
    let of = |shard: u16| selector(&format!("{DOMAIN}/bucket"), &layout.buckets_of(ShardId(shard)));
    (0..shards).map(|shard| (of(shard), Shard(u32::from(shard)))).collect()
}

fn listed(request: &ReceivedRequest) -> Option<(&Replica, String, Listed)> {
    let replica = request.by.as_ref().filter(|_| request.method == "GET" && request.code == 200)?;
    let AnswerFate::Delivered(after) = request.answer else { return None };
    let (path, query) = request.uri.split_once('?')?;
    let place = Place::of(path).filter(|place| place.group == DOMAIN && place.name.is_empty())?;
    if place.resource != "memcacheds" {
        return None;
    }
    let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    // Any resourceVersion allows an answer that is older than now.
    if query.contains_key("watch") || query.contains_key("resourceVersion") {
        return None;
    }
    let selected = query.get("labelSelector")?.to_string();
    Some((replica, selected, Listed { sent: request.sent, answered: request.arrived + after }))
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only, only_of, passes};

    /// A holds shard 0 from 20 s on, and reconciles at 21 s.
    fn reconciled() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 20_000, 100_000).reconciled("a", 0, "m-0", 21_000, 22_000);
        run
    }

    fn list(run: &mut RunBuilder) -> &mut crate::observations::ReceivedRequest {
        let mut requests = run.observations.requests.iter_mut();
        requests.find(|request| request.uri.contains("labelSelector")).expect("the hold came with a list")
    }

    #[test]
    fn a_list_after_the_acquisition_is_what_it_takes() {
        passes(&reconciled());
    }

    #[test]
    fn a_list_from_before_or_of_any_age_or_without_an_answer_is_not() {
        let spoilers: [fn(&mut crate::observations::ReceivedRequest); 4] = [
            |list| list.sent = super::super::run_builder::at(19_999),
            |list| list.uri.push_str("&resourceVersion=0"),
            |list| list.answer = crate::observations::AnswerFate::Lost,
            |list| list.uri = list.uri.replace("255", "254"),
        ];
        for spoil in spoilers {
            let mut run = reconciled();
            spoil(list(&mut run));
            let sentences = only(&run, "barrier");
            assert!(sentences[0].contains("before a consistent list of the shard"), "{sentences:?}");
        }
    }

    #[test]
    fn a_reconcile_before_the_cache_is_ready_is_caught() {
        let mut run = reconciled();
        run.reconciled("a", 0, "m-0", 19_999, 20_000);
        let sentences = only_of(&run, "barrier", 1);
        assert!(sentences[0].contains("before the replica had noted"), "{sentences:?}");
    }
}
