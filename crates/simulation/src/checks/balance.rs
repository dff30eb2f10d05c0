//! Shards are shared evenly: of N members, exactly S mod N hold ⌈S/N⌉ shards and the others ⌊S/N⌋, once nothing has changed for [`Bounds::balanced`].
//!
//! Judged by the Leases alone, whatever the plan says: from that bound on until something changes, and at the end of the run, where the world has
//! waited for it.

use std::collections::BTreeMap;

use super::bounds::Bounds;
use super::leases::{Histories, Role, layout_of, state_at};
use super::span::Span;
use super::{Check, stable};
use crate::observations::Observations;
use crate::time::TrueTime;

/// Judges each span in which nothing changed.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds) -> Check {
    let mut check = Check::new("balance");
    for span in judged(observations, histories, bounds) {
        let Some(shares) = shares(observations, histories, span.from) else { continue };
        check.judged += 1;
        if !is_even(&shares) {
            let held: Vec<_> = shares.iter().map(|(member, held)| format!("{member} holds {held}")).collect();
            check.violated(
                span.from,
                format!(
                    "At {}, when nothing had changed for {:?}, shards were not shared evenly: {}.",
                    span.from,
                    super::short(bounds.balanced()),
                    held.join(", ")
                ),
            );
        }
    }
    check
}

/// When shards have to be shared evenly.
pub(super) fn judged(observations: &Observations, histories: &Histories<'_>, bounds: &Bounds) -> Vec<Span> {
    let mut spans = stable::spans(observations, histories, bounds.balanced());
    if let Some(converged) = observations.converged.filter(|at| *at < observations.ended)
        && !spans.iter().any(|span| span.to > converged)
    {
        spans.push(Span::new(converged, observations.ended));
    }
    spans
}

/// How many of the shards each member holds; nothing, where there is no settled layout.
fn shares<'a>(
    observations: &'a Observations,
    histories: &Histories<'_>,
    at: TrueTime,
) -> Option<BTreeMap<&'a str, usize>> {
    let layout = state_at(histories.with(Role::Coordinator), at).and_then(layout_of)?;
    let members = stable::members(observations, histories, at);
    let mut shares: BTreeMap<&str, usize> =
        members.iter().map(|process| (process.identity.0.as_str(), 0)).collect();
    if shares.is_empty() {
        return None;
    }
    // A shard that nobody holds, or somebody who is no member, is missing from the sum.
    for shard in 0..layout.shards.unwrap_or(observations.schedule.shards) {
        let state = state_at(histories.with(Role::Shard(u32::from(shard))), at);
        let holder = state.and_then(|state| state.spec.as_ref()?.held_by());
        if let Some(share) = holder.and_then(|holder| shares.get_mut(holder)) {
            *share += 1;
        }
    }
    Some(shares)
}

/// Two shares differ by one at most.
fn is_even(shares: &BTreeMap<&str, usize>) -> bool {
    let (least, most) = (shares.values().min(), shares.values().max());
    matches!((least, most), (Some(least), Some(most)) if most - least <= 1)
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only_of};
    use crate::schedule::{FaultKind, Slot};

    /// A and B run from the start, and there are four shards. A takes all of them; `passed_on` of them go to B at 40 s.
    fn shared(passed_on: u32) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.observations.schedule.shards = 4;
        run.runs("a", 0, 0).runs("b", 1, 0).ends(400_000);
        for shard in 0..4 {
            let until = if shard < passed_on { 40_000 } else { 400_000 };
            run.holds("a", shard, 20_000, until);
        }
        for shard in 0..passed_on {
            run.released("a", shard, 41_000).holds("b", shard, 42_000, 400_000);
        }
        run.observations.leases.sort_by_key(|state| state.at);
        run
    }

    #[test]
    fn an_even_share_passes() {
        only_of(&shared(2), "balance", 0);
    }

    #[test]
    fn an_uneven_share_is_caught_once_nothing_has_changed_for_long_enough() {
        let sentences = only_of(&shared(1), "balance", 1);
        assert!(sentences[0].contains("a_1 holds 3, b_1 holds 1"), "{sentences:?}");
        only_of(&shared(0), "balance", 1);
    }

    #[test]
    fn one_more_for_some_is_even() {
        let mut run = shared(1);
        run.runs("c", 2, 0);
        // Three members share four shards as 2, 1 and 1.
        run.released("a", 1, 43_000).holds("c", 1, 44_000, 400_000);
        run.observations.leases.retain(|state| {
            state.name != "op-shard-1"
                || state.at.since_start().as_secs() < 43
                || state.by.as_ref().is_none_or(|by| by.0 == "c_1")
        });
        run.observations.leases.sort_by_key(|state| state.at);
        only_of(&run, "balance", 0);
    }

    #[test]
    fn who_says_that_it_is_unable_has_no_share() {
        let mut run = shared(0);
        run.wrote("op-member-b", "b", 10_000, 10_000, "b", 0);
        let unable = ("cache.example.com/unable".to_owned(), "true".to_owned());
        run.observations.leases.last_mut().expect("just told").annotations.extend([unable]);
        run.observations.leases.sort_by_key(|state| state.at);
        only_of(&run, "balance", 0);
    }

    #[test]
    fn while_something_goes_wrong_nothing_is_judged() {
        let mut run = shared(0);
        run.observations.converged = None;
        run.fault(FaultKind::Pause(Slot(1)), 60_000, 390_000);
        only_of(&run, "balance", 0);
    }
}
