//! Nothing moves that need not move.
//!
//! - From one published plan to the next, as many shards stay with their members as the even share of the new one permits.
//! - Once nothing has changed for [`Bounds::balanced`], no shard changes hands.
//! - When the number of shards changes, a bucket that moves goes to a shard that is new, or comes from one that is left over. It is taken from the
//!   records: in which shard its resources were reconciled, under which settled layout.

mod buckets;

use std::collections::HashMap;

use serde::Deserialize;

use super::Check;
use super::balance;
use super::bounds::Bounds;
use super::leases::{Histories, Role, state_at};
use crate::observations::{LeaseState, Observations};

/// Judges plans, handovers and buckets.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds) -> Check {
    let mut check = Check::new("moves");
    of_plans(histories, &mut check);
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

    /// How many shards stay with their members.
    fn kept_from(&self, before: &Self) -> usize {
        (0..self.shards.len())
            .filter(|shard| before.member(*shard).is_some_and(|member| self.member(*shard) == Some(member)))
            .count()
    }

    /// How many could stay, if the members of this plan share its shards evenly.
    fn could_keep_from(&self, before: &Self) -> usize {
        if self.members.is_empty() {
            return 0;
        }
        let (least, larger) =
            (self.shards.len() / self.members.len(), self.shards.len() % self.members.len());
        let mut held: HashMap<&str, usize> = HashMap::new();
        for member in (0..self.shards.len()).filter_map(|shard| before.member(shard)) {
            *held.entry(member).or_default() += 1;
        }
        let held: Vec<usize> = self
            .members
            .iter()
            .map(|member| held.get(member.as_str()).copied().unwrap_or_default())
            .collect();
        let with_more = held.iter().filter(|held| **held > least).count();
        held.iter().map(|held| (*held).min(least)).sum::<usize>() + with_more.min(larger)
    }
}

/// A plan follows the one that stood on the Lease before it. Where none did, nothing is known of what was.
fn of_plans(histories: &Histories<'_>, check: &mut Check) {
    let mut before: Option<Plan> = None;
    for state in histories.with(Role::Coordinator) {
        let plan = Plan::of(state).filter(|_| !state.restored);
        if let (Some(before), Some(plan)) = (&before, &plan)
            && before.generation != plan.generation
        {
            check.judged += 1;
            let (kept, could) = (plan.kept_from(before), plan.could_keep_from(before));
            if kept < could {
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
        let before = plan(&["a", "b"], &[Some(0), Some(0), Some(0), Some(1), Some(1)]);
        // Three members: 2, 2 and 1.
        let joined = plan(&["a", "b", "c"], &[Some(0), Some(0), Some(2), Some(1), Some(1)]);
        assert_eq!((joined.kept_from(&before), joined.could_keep_from(&before)), (4, 4));
        let worse = plan(&["a", "b", "c"], &[Some(1), Some(0), Some(0), Some(2), Some(1)]);
        assert_eq!((worse.kept_from(&before), worse.could_keep_from(&before)), (3, 4));
        let left = plan(&["b"], &[Some(0); 5]);
        assert_eq!((left.kept_from(&before), left.could_keep_from(&before)), (2, 2));
        let fewer = plan(&["a", "b"], &[Some(0), Some(1)]);
        assert_eq!((fewer.kept_from(&before), fewer.could_keep_from(&before)), (1, 1));
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
