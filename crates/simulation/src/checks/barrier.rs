//! The takeover barrier: no reconcile begins before its replica has received a list of the shard that was taken after the acquisition.
//!
//! What the previous owner wrote last is in such a list, and need not be in any other: a list "as of resourceVersion 0" may be
//! answered from a cache of any age, and one that was asked for before the acquisition misses what came between. Besides the
//! replica's own word (its `start-ready` record), the request has to be seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use memcached_operator::crd::DOMAIN;
use overlap_checker::records::{Body, CrKey, Record, Replica, Shard, Token};
use overlap_checker::{Hold, Moment, Timeline};

use super::Check;
use super::reconciles::{Place, true_time};
use crate::observations::{AnswerFate, Observations, ReceivedRequest};
use crate::profile;
use crate::time::TrueTime;

/// Judges the first reconcile of each hold.
pub(super) fn check(observations: &Observations, timeline: &Timeline) -> Check {
    let mut check = Check::new("barrier");
    let ready = ready(observations);
    let lists = lists(observations);
    for First { hold, begun, bucket } in first_begins(observations, timeline) {
        check.judged += 1;
        let key = (&hold.replica, hold.shard, hold.token);
        let acquired = true_time(hold.acquired);
        let has_it = |list: &&Listed| {
            list.of.shows(hold.shard, bucket) && list.sent >= acquired && list.answered <= begun
        };
        let wrong = if ready.get(&key).is_none_or(|ready| *ready > begun) {
            "before the replica had noted that its cache was ready"
        } else if !lists.get(&hold.replica).is_some_and(|lists| lists.iter().any(|list| has_it(&list))) {
            "before a consistent list of its resource, asked for after the acquisition, was answered"
        } else {
            continue;
        };
        check.violated(
            begun,
            format!(
                "{} acquired {} at {acquired} and began its first reconcile at {begun}, {wrong}.",
                hold.replica,
                hold.shard.described()
            ),
        );
    }
    check
}

/// The first reconcile of a hold. A hold that gains buckets when the layout changes is recorded as another one for them, with a token of its own.
pub(super) struct First<'a> {
    pub(super) hold: &'a Hold,
    pub(super) begun: TrueTime,
    /// That of the resource. Stories leave it out.
    pub(super) bucket: Option<u32>,
}

pub(super) fn first_begins<'a>(
    observations: &Observations,
    timeline: &'a Timeline,
) -> impl Iterator<Item = First<'a>> {
    let mut first: BTreeMap<usize, (Moment, ReconcileKey<'_>)> = BTreeMap::new();
    for reconcile in &timeline.reconciles {
        // A reconcile without a hold is for `begun-in-hold` to object to.
        let Some(hold) = reconcile.hold else { continue };
        let key = (&reconcile.replica, &reconcile.cr, true_time(reconcile.begun));
        let begun = first.entry(hold).or_insert((reconcile.begun, key));
        if reconcile.begun < begun.0 {
            *begun = (reconcile.begun, key);
        }
    }
    let buckets: HashMap<_, _> = observations.records.iter().filter_map(bucket).collect();
    let first = first.into_iter().map(|(hold, (begun, key))| First {
        hold: &timeline.holds[hold],
        begun: true_time(begun),
        bucket: buckets.get(&key).copied(),
    });
    first.collect::<Vec<_>>().into_iter()
}

type ReconcileKey<'a> = (&'a Replica, &'a CrKey, TrueTime);

fn bucket(record: &Record) -> Option<(ReconcileKey<'_>, u32)> {
    let Body::Begin { cr, bucket, .. } = &record.body else { return None };
    Some(((&record.replica, cr, TrueTime::of(record.boot)), (*bucket)?))
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
    of: ListOf,
}

/// What a list shows.
enum ListOf {
    /// The resources in these buckets.
    Buckets(BTreeSet<u32>),
    /// All resources of the kind that is not sharded.
    Profiles,
}

impl ListOf {
    fn shows(&self, shard: Shard, bucket: Option<u32>) -> bool {
        match self {
            Self::Buckets(buckets) => {
                shard != Shard::UNSHARDED && bucket.is_none_or(|bucket| buckets.contains(&bucket))
            }
            Self::Profiles => shard == Shard::UNSHARDED,
        }
    }
}

/// The consistent lists that each replica asked for.
fn lists(observations: &Observations) -> HashMap<&Replica, Vec<Listed>> {
    let mut lists: HashMap<_, Vec<Listed>> = HashMap::new();
    for (replica, listed) in observations.requests.iter().filter_map(listed) {
        lists.entry(replica).or_default().push(listed);
    }
    lists
}

fn listed(request: &ReceivedRequest) -> Option<(&Replica, Listed)> {
    let replica = request.by.as_ref().filter(|_| request.method == "GET" && request.code == 200)?;
    let AnswerFate::Delivered(after) = request.answer else { return None };
    let (path, query) = request.uri.split_once('?')?;
    let place = Place::of(path).filter(|place| place.name.is_empty())?;
    let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    // Any resourceVersion allows an answer that is older than now.
    if query.contains_key("watch") || query.contains_key("resourceVersion") {
        return None;
    }
    let of = match (place.group, place.resource) {
        (DOMAIN, "memcacheds") => {
            let selected = query.get("labelSelector")?.strip_prefix(DOMAIN)?.strip_prefix("/bucket in (")?;
            let buckets = selected.strip_suffix(')')?.split(',').filter_map(|bucket| bucket.parse().ok());
            ListOf::Buckets(buckets.collect())
        }
        (profile::GROUP, profile::PLURAL) => ListOf::Profiles,
        _ => return None,
    };
    Some((replica, Listed { sent: request.sent, answered: request.arrived + after, of }))
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
            assert!(sentences[0].contains("before a consistent list of its resource"), "{sentences:?}");
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
