//! Nothing moves that need not move.
//!
//! - From one published plan to the next, as many shards stay with their members as the even share of the new one permits.
//! - Once nothing has changed for [`Bounds::balanced`], no shard changes hands.
//! - When the number of shards changes, a bucket that moves goes to a shard that is new, or comes from one that is left over. It is taken from the
//!   records: in which shard its resources were reconciled, under which settled layout.

mod buckets;

use serde::Deserialize;

use super::Check;
use super::balance;
use super::bounds::Bounds;
use super::leases::{Histories, Role, state_at};
use super::span::Span;
use crate::observations::{LeaseState, Observations};
use crate::time::TrueTime;

/// Judges plans, handovers and buckets.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds) -> Check {
    let mut check = Check::new("moves");
    of_plans(histories, bounds, &mut check);
    in_calm(observations, histories, bounds, &mut check);
    buckets::check(observations, histories, &mut check);
    check
}

/// A plan as it is published, read here once more by its format.
#[derive(Debug, Deserialize)]
struct Plan {
    generation: u64,
    members: Vec<String>,
    shards: Vec<Option<usize>>,
}

impl Plan {
    fn of(state: &LeaseState) -> Option<Self> {
        state.spec.as_ref()?;
        let (_, json) = state.annotations.iter().find(|(key, _)| key.ends_with("/plan"))?;
        serde_json::from_str(json).ok()
    }

    fn member(&self, shard: usize) -> Option<&str> {
        let number = (*self.shards.get(shard)?)?;
        self.members.get(number).map(String::as_str)
    }

    /// To whom each shard of this plan belonged before: to the member of the former plan, and if that is gone, to whoever has taken it over.
    fn owners_before<'a>(
        &self,
        before: &'a Self,
        holder: impl Fn(usize) -> Option<&'a str>,
    ) -> Vec<Option<&'a str>> {
        let is_member = |name: &&str| self.members.iter().any(|member| member == name);
        let owner =
            |shard| before.member(shard).filter(is_member).or_else(|| holder(shard).filter(is_member));
        (0..self.shards.len()).map(owner).collect()
    }

    /// How many shards stay with their owners.
    fn kept_from(&self, owners: &[Option<&str>]) -> usize {
        let kept =
            |(shard, owner): &(usize, &Option<&str>)| owner.is_some() && self.member(*shard) == **owner;
        owners.iter().enumerate().filter(kept).count()
    }

    /// How many could stay, if the members of this plan share its shards evenly.
    fn could_keep_from(&self, owners: &[Option<&str>]) -> usize {
        if self.members.is_empty() {
            return 0;
        }
        let (least, larger) =
            (self.shards.len() / self.members.len(), self.shards.len() % self.members.len());
        let held = |member: &String| owners.iter().filter(|owner| **owner == Some(member.as_str())).count();
        let held: Vec<usize> = self.members.iter().map(held).collect();
        let with_more = held.iter().filter(|held| **held > least).count();
        held.iter().map(|held| (*held).min(least)).sum::<usize>() + with_more.min(larger)
    }
}

/// A plan follows the one that stood on the Lease before it. Where none did, nothing is known of what was. Who has taken a shard over, the coordinator
/// may have seen late: a plan is fine if it is so for what was held at any time within [`Bounds::settled`] before.
fn of_plans(histories: &Histories<'_>, bounds: &Bounds, check: &mut Check) {
    let mut before: Option<Plan> = None;
    for state in histories.with(Role::Coordinator) {
        let plan = Plan::of(state).filter(|_| !state.restored);
        if let (Some(before), Some(plan)) = (&before, &plan)
            && before.generation != plan.generation
        {
            check.judged += 1;
            let views = views(histories, Span::new(state.at - bounds.settled(), state.at));
            let counts = views.into_iter().map(|at| {
                let owners = plan.owners_before(before, |shard| holder(histories, shard, at));
                (plan.kept_from(&owners), plan.could_keep_from(&owners))
            });
            let counts: Vec<_> = counts.collect();
            if let Some((kept, could)) = counts.last()
                && counts.iter().all(|(kept, could)| kept < could)
            {
                check.violated(
                    state.at,
                    format!(
                        "The plan of {} leaves {kept} of {} shards with their members, and could leave {could}: {plan:?} after {before:?}.",
                        state.at,
                        plan.shards.len(),
                    ),
                );
            }
        }
        before = plan;
    }
}

/// Instants in this span, among them one before and one after each time that a shard changed hands.
fn views(histories: &Histories<'_>, span: Span) -> Vec<TrueTime> {
    let of_shards = histories.all().filter(|(name, _)| matches!(Role::of(name), Role::Shard(_)));
    let mut views = vec![span.from, span.to];
    for (_, states) in of_shards {
        let changes = states.windows(2).filter(|pair| holder_of(pair[0]) != holder_of(pair[1]));
        views.extend(changes.map(|pair| pair[1].at).filter(|at| span.from < *at && *at < span.to));
    }
    views.sort_unstable();
    views.dedup();
    views
}

fn holder<'a>(histories: &Histories<'a>, shard: usize, at: TrueTime) -> Option<&'a str> {
    let shard = u32::try_from(shard).ok()?;
    state_at(histories.with(Role::Shard(shard)), at).and_then(holder_of)
}

fn holder_of(state: &LeaseState) -> Option<&str> {
    state.spec.as_ref().and_then(|spec| spec.held_by())
}

/// Once all have their share, they keep what they have.
fn in_calm(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds, check: &mut Check) {
    for span in balance::judged(observations, histories, bounds) {
        for (name, states) in histories.all().filter(|(name, _)| matches!(Role::of(name), Role::Shard(_))) {
            let holder = |state: &LeaseState| state.spec.as_ref().map(|spec| spec.holder.clone());
            let Some(before) = state_at(states, span.from).and_then(holder) else { continue };
            check.judged += 1;
            let during = states.iter().filter(|state| span.from < state.at && state.at < span.to);
            let another = during.into_iter().find(|state| holder(state).as_ref() != Some(&before));
            if let Some(another) = another {
                check.violated(
                    another.at,
                    format!(
                        "{name} was taken from {before} at {}, though nothing had changed since {}.",
                        another.at, span.from
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};
    use super::Plan;

    fn plan(members: &[&str], shards: &[Option<usize>]) -> Plan {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        Plan { generation: 1, members, shards: shards.to_vec() }
    }

    #[test]
    fn what_could_stay_is_counted_by_the_even_share() {
        let counts = |plan: &Plan, before: &Plan| {
            let owners = plan.owners_before(before, |_| None);
            (plan.kept_from(&owners), plan.could_keep_from(&owners))
        };
        let before = plan(&["a", "b"], &[Some(0), Some(0), Some(0), Some(1), Some(1)]);
        // Three members: 2, 2 and 1.
        let joined = plan(&["a", "b", "c"], &[Some(0), Some(0), Some(2), Some(1), Some(1)]);
        assert_eq!(counts(&joined, &before), (4, 4));
        let worse = plan(&["a", "b", "c"], &[Some(1), Some(0), Some(0), Some(2), Some(1)]);
        assert_eq!(counts(&worse, &before), (3, 4));
        assert_eq!(counts(&plan(&["b"], &[Some(0); 5]), &before), (2, 2));
        assert_eq!(counts(&plan(&["a", "b"], &[Some(0), Some(1)]), &before), (1, 1));
    }

    /// B holds both shards by then. To give one of them to C is as many moves as to give the other.
    #[test]
    fn what_somebody_took_over_is_his() {
        let before = plan(&["a", "b"], &[Some(0), Some(1)]);
        let after = plan(&["b", "c"], &[Some(0), Some(1)]);
        let owners = after.owners_before(&before, |_| Some("b"));
        assert_eq!((after.kept_from(&owners), after.could_keep_from(&owners)), (1, 1));
        let owners = after.owners_before(&before, |_| None);
        assert_eq!((after.kept_from(&owners), after.could_keep_from(&owners)), (0, 1));
    }

    fn publish(run: &mut RunBuilder, when: u64, generation: u64, shards: &str) {
        run.touched("op", when);
        let state =
            run.observations.leases.iter_mut().find(|state| state.name == "op" && state.at == at(when));
        let json = format!(
            "{{\"generation\":{generation},\"layout\":1,\"members\":[\"a_1\",\"b_1\"],\"shards\":{shards}}}"
        );
        state.expect("just told").annotations.insert("cache.example.com/plan".to_owned(), json);
    }

    #[test]
    fn a_plan_that_moves_more_than_it_must_is_caught() {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).holds("a", 0, 10_000, 100_000);
        publish(&mut run, 20_000, 1, "[0,0,1,1]");
        publish(&mut run, 30_000, 2, "[0,0,1,1]");
        only_of(&run, "moves", 0);
        publish(&mut run, 40_000, 3, "[0,1,0,1]");
        let sentences = only_of(&run, "moves", 1);
        assert!(
            sentences[0].contains("leaves 2 of 4 shards with their members, and could leave 4"),
            "{sentences:?}"
        );
    }

    #[test]
    fn a_handover_when_nothing_has_changed_is_caught() {
        let story = |moved: bool| {
            let mut run = RunBuilder::settled();
            run.runs("a", 0, 0).runs("b", 1, 0).ends(600_000);
            if moved {
                run.holds("a", 0, 20_000, 300_000).released("a", 0, 301_000).holds("b", 0, 302_000, 600_000);
            } else {
                run.holds("a", 0, 20_000, 600_000);
            }
            run
        };
        only_of(&story(false), "moves", 0);
        let sentences = only_of(&story(true), "moves", 1);
        assert!(sentences[0].contains("op-shard-0 was taken from a_1 at 301.000"), "{sentences:?}");
    }
}
