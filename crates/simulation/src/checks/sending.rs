//! No write of a reconcile is sent outside of its hold's validity.
//!
//! `writes` judges what the API server accepts, and has to excuse what was on its way when validity ended. Here the instant of
//! sending is known, so nothing is excused: the gate lets a request out while the hold is valid, or not at all, whatever then becomes
//! of it. Validity is what the replica itself had written down by then: a renewal that came later does not make good for the time
//! before it. By then, that is by the number of its records: on waking from a pause a replica sends, learns that it has lost, and writes
//! that down, all in one instant.

use std::collections::HashMap;

use overlap_checker::records::{Body, CrKey, Replica, Shard, Token};
use overlap_checker::{Moment, Reconcile, Timeline};

use super::reconciles::{Place, written_for};
use super::{Check, short};
use crate::observations::{Observations, ReceivedRequest};
use crate::time::TrueTime;

type TermKey<'a> = (&'a Replica, Shard, Token);

/// Judges every write that carries the name of a reconcile's replica.
pub(super) fn check(observations: &Observations, timeline: &Timeline) -> Check {
    let mut check = Check::new("sending");
    let mut reconciles: HashMap<(&Replica, &CrKey), Vec<&Reconcile>> = HashMap::new();
    for reconcile in &timeline.reconciles {
        reconciles.entry((&reconcile.replica, &reconcile.cr)).or_default().push(reconcile);
    }
    let claims = claims(observations);
    for request in &observations.requests {
        let Some((replica, cr)) = written(request) else { continue };
        let sent = Moment(i64::try_from(request.sent.nanos()).unwrap_or(i64::MAX));
        let Some(all) = reconciles.get(&(replica, &cr)) else { continue };
        // A write before the first reconcile is for `writes` to object to.
        let Some(reconcile) = all[..all.partition_point(|reconcile| reconcile.begun <= sent)].last() else {
            continue;
        };
        let Some(claims) = claims.get(&(replica, reconcile.shard, reconcile.token)) else { continue };
        check.judged += 1;
        let known = claims.partition_point(|claim| claim.number <= request.recorded);
        let until = claims[..known].last().map_or(TrueTime::START, |claim| claim.until);
        if request.sent >= until {
            check.violated(
                request.sent,
                format!(
                    "{replica} sent a {} of {} at {}, {:?} after the end of its hold of {}, which was {until} by all that \
                     it had written down.",
                    request.method,
                    request.uri,
                    request.sent,
                    short(request.sent.since(until)),
                    reconcile.shard.described(),
                ),
            );
        }
    }
    check
}

/// Until when a replica believed in its hold, from one of its records on.
struct Claim {
    number: usize,
    until: TrueTime,
}

/// What was written down about each hold, in order.
fn claims(observations: &Observations) -> HashMap<TermKey<'_>, Vec<Claim>> {
    let mut claims: HashMap<_, Vec<Claim>> = HashMap::new();
    let mut written: HashMap<&Replica, usize> = HashMap::new();
    for record in &observations.records {
        let number = written.entry(&record.replica).or_default();
        *number += 1;
        let (number, at) = (*number, TrueTime::of(record.boot));
        let (shard, token, until) = match &record.body {
            Body::HoldBegin { shard: Some(shard), token, valid_until, .. } => {
                (shard, token, valid_until.map_or(at, TrueTime::of))
            }
            Body::HoldRenewed { shard: Some(shard), token, valid_until, .. } => {
                (shard, token, TrueTime::of(*valid_until))
            }
            Body::HoldEnd { shard: Some(shard), token, .. } => (shard, token, at),
            _ => continue,
        };
        claims.entry((&record.replica, *shard, *token)).or_default().push(Claim { number, until });
    }
    claims
}

/// Whose write it is, and of which resource.
pub(super) fn written(request: &ReceivedRequest) -> Option<(&Replica, CrKey)> {
    let replica = request.by.as_ref().filter(|_| request.method != "GET")?;
    // The stamper works for no hold.
    if request.user_agent.contains("-stamper/") {
        return None;
    }
    let place = Place::of(request.uri.split('?').next().unwrap_or_default())?;
    Some((replica, written_for(&place)?))
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};

    const SERVICE: &str = "/api/v1/namespaces/default/services/m-0?fieldManager=x";

    /// A holds shard 0 until 60 s.
    fn held() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 20_000, 50_000).reconciled("a", 0, "m-0", 59_000, 59_999);
        run
    }

    #[test]
    fn the_sending_counts_whatever_becomes_of_it() {
        for (when, code, count) in [(59_999, 200, 0), (60_000, 200, 1), (61_000, 500, 1)] {
            let mut run = held();
            run.request("a", "PATCH", SERVICE, when, code);
            only_of(&run, "sending", count);
        }
    }

    #[test]
    fn a_renewal_makes_good_for_nothing_before_it() {
        // The last renewal before the gap is of 50 s.
        for (when, count) in [(60_500, 1), (61_500, 0)] {
            let mut run = held();
            run.renewed("a", 0, 61_000, 71_000).request("a", "PATCH", SERVICE, when, 200);
            only_of(&run, "sending", count);
        }
    }

    #[test]
    fn in_the_instant_of_the_end_what_was_written_down_before_the_sending_decides() {
        for (told_first, count) in [(false, 0), (true, 1)] {
            let mut run = held();
            if told_first {
                run.released("a", 0, 59_999).request("a", "PATCH", SERVICE, 59_999, 200);
            } else {
                run.request("a", "PATCH", SERVICE, 59_999, 200).released("a", 0, 59_999);
            }
            only_of(&run, "sending", count);
        }
    }

    #[test]
    fn what_is_no_write_of_a_reconcile_is_not_judged() {
        let mut run = held();
        run.request("a", "GET", SERVICE, 61_000, 200);
        run.request(
            "a",
            "PATCH",
            "/apis/cache.example.com/v1alpha1/namespaces/default/memcacheds/m-0",
            61_000,
            200,
        );
        run.observations.requests.last_mut().expect("told").user_agent =
            "memcached-operator-stamper/0.1.0 (a_1)".into();
        only_of(&run, "sending", 0);
    }
}
