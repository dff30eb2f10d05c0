//! Whoever takes a shard over reconciles each of its resources within [`Bounds::reached`], not only the first one, which `working` sees.
//!
//! Judged where nothing hinders the holder from its acquisition on, the layout stays as it is, and it holds the shard for so long. A resource counts if it has
//! been there since before the acquisition, was reconciled before, and nobody has put anything odd into it.

use std::collections::{BTreeMap, HashMap};

use overlap_checker::records::{Body, CrKey, Replica, Shard};
use overlap_checker::{Hold, Timeline};
use shard_router::{Bucket, Layout, ShardCount, ShardId};

use super::bounds::Bounds;
use super::eligibility::Eligibility;
use super::leases::{Histories, Role, layout_of, state_at};
use super::reconciles::{NAMESPACE, true_time};
use super::span::Span;
use super::{Check, short, working};
use crate::observations::Observations;
use crate::profile;
use crate::time::TrueTime;

/// Judges each resource of each shard that is taken over.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    histories: &Histories<'_>,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Check {
    let mut check = Check::new("reached");
    let resources = resources(observations, timeline);
    let mut begun: HashMap<(&Replica, &CrKey), Vec<TrueTime>> = HashMap::new();
    for reconcile in &timeline.reconciles {
        begun.entry((&reconcile.replica, &reconcile.cr)).or_default().push(true_time(reconcile.begun));
    }
    for hold in timeline.holds.iter().filter(|hold| is_first(timeline, hold)) {
        let Some((process, _)) = eligibility.all().find(|(process, _)| process.identity == hold.replica)
        else {
            continue;
        };
        let acquired = true_time(hold.acquired);
        let bound = bounds.reached(process.rate);
        let judged = Span::new(acquired, acquired + bound);
        if true_time(hold.valid.to).min(observations.ended) < judged.to
            || !eligibility.unhindered(process, judged, observations)
        {
            continue;
        }
        let Some(shards) = shards_throughout(histories, judged, observations) else { continue };
        for (cr, resource) in &resources {
            if resource.shard(shards) != Some(hold.shard) || resource.since >= acquired {
                continue;
            }
            check.judged += 1;
            let reconciled = begun.get(&(&hold.replica, cr)).into_iter().flatten();
            if !reconciled.into_iter().any(|at| (judged.from..=judged.to).contains(at)) {
                check.violated(
                    judged.to,
                    format!(
                        "{} held {} from {acquired} on, and did not begin to reconcile {cr} within {:?}.",
                        hold.replica,
                        hold.shard.described(),
                        short(bound)
                    ),
                );
            }
        }
    }
    check
}

/// A resource that has to be reconciled by each holder.
struct Resource {
    /// When it was reconciled first.
    since: TrueTime,
    /// `None` of the kind that is not sharded.
    bucket: Option<u32>,
}

impl Resource {
    fn shard(&self, shards: ShardCount) -> Option<Shard> {
        let Some(bucket) = self.bucket else { return Some(Shard::UNSHARDED) };
        let bucket = Bucket(u8::try_from(bucket).ok()?);
        let ShardId(shard) = Layout::first(shards, None).shard_of(bucket);
        Some(Shard(u32::from(shard)))
    }
}

fn resources(observations: &Observations, timeline: &Timeline) -> BTreeMap<CrKey, Resource> {
    let profiles = observations
        .profiles
        .iter()
        .map(|(name, wish)| (CrKey::new(NAMESPACE, name.as_str()).of_kind(profile::KIND), wish.uid.clone()));
    let plain: BTreeMap<CrKey, String> = working::plain(observations).into_iter().chain(profiles).collect();
    let mut since: HashMap<&CrKey, TrueTime> = HashMap::new();
    for reconcile in &timeline.reconciles {
        if plain.get(&reconcile.cr) == Some(&reconcile.uid.0) {
            let at = true_time(reconcile.begun);
            let first = since.entry(&reconcile.cr).or_insert(at);
            *first = at.min(*first);
        }
    }
    let bucket = |record: &overlap_checker::records::Record| match &record.body {
        Body::Begin { cr, bucket: Some(bucket), .. } => Some((cr.clone(), *bucket)),
        _ => None,
    };
    let buckets: HashMap<CrKey, u32> = observations.records.iter().filter_map(bucket).collect();
    let known = since
        .iter()
        .map(|(cr, since)| ((*cr).clone(), Resource { since: *since, bucket: buckets.get(*cr).copied() }));
    known.collect()
}

/// What a hold gains when the layout changes is recorded as another one, beside that which goes on.
fn is_first(timeline: &Timeline, hold: &Hold) -> bool {
    !timeline.holds.iter().any(|other| {
        other.replica == hold.replica
            && other.shard == hold.shard
            && other.token != hold.token
            && other.acquired < hold.acquired
            && other.valid.to > hold.acquired
    })
}

/// How many shards there are, if one and the same layout is settled throughout.
fn shards_throughout(
    histories: &Histories<'_>,
    span: Span,
    observations: &Observations,
) -> Option<ShardCount> {
    let states = histories.with(Role::Coordinator);
    let layout = state_at(states, span.from).and_then(layout_of).filter(|layout| layout.settled)?;
    let during = states.iter().filter(|state| span.from < state.at && state.at <= span.to);
    if during.into_iter().any(|state| layout_of(state) != Some(layout)) {
        return None;
    }
    ShardCount::try_from(layout.shards.unwrap_or(observations.schedule.shards)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};
    use crate::schedule::{FaultKind, Slot};

    /// A reconciles two resources, and B takes the shard over at 50 s, to reconcile the second one at `begun`.
    fn taken_over(begun: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).desired("cache-0", 1, 64).desired("cache-1", 1, 64);
        run.holds("a", 0, 20_000, 48_000);
        run.reconciled("a", 0, "cache-0", 21_000, 22_000).reconciled("a", 0, "cache-1", 21_000, 22_000);
        run.released("a", 0, 49_000).holds("b", 0, 50_000, 100_000);
        run.reconciled("b", 0, "cache-0", 51_000, 51_100);
        run.reconciled("b", 0, "cache-1", begun, begun + 100);
        run
    }

    #[test]
    fn each_resource_that_is_reached_in_time_passes() {
        only_of(&taken_over(55_000), "reached", 0);
        assert_eq!(super::super::judge(&taken_over(55_000).observations).judged["reached"], 2);
    }

    #[test]
    fn one_that_is_left_is_caught_although_the_shard_is_worked_on() {
        let run = taken_over(99_000);
        only_of(&run, "working", 0);
        let sentences = only_of(&run, "reached", 1);
        assert!(sentences[0].contains("did not begin to reconcile default/cache-1"), "{sentences:?}");
    }

    #[test]
    fn who_is_hindered_may_be_late() {
        let mut run = taken_over(99_000);
        run.fault(FaultKind::Pause(Slot(1)), 52_000, 53_000);
        only_of(&run, "reached", 0);
    }
}
