//! Every shard has an owner again within the bound.
//!
//! A gap is the time from the loss of a valid holder to the next one, as the replicas' own records have it. It is lost at
//! the end of its validity, or at the instant from which on its process did nothing any more: killed, paused, suspended.
//!
//! The bound counts whenever somebody could act on it: while the shard's Lease exists and a layout is committed, and
//! one and the same replica is [fit](super::eligibility) to take the shard. The longest such stretch within a gap is judged. It
//! begins anew when a user changes the Lease, or by a replica that is not fit (such as the last renewal of one that
//! was killed, or an acquisition whose answer is lost on the way): everyone has to wait that out.

use super::bounds::{Bounds, REACTION, most_shards};
use super::eligibility::{Eligibility, taken_out};
use super::leases::{Histories, Role, has_shard};
use super::span::{Span, near};
use super::{Check, reconciles, short};
use crate::observations::{LeaseState, Observations};
use crate::time::TrueTime;
use overlap_checker::{Hold, Timeline};

/// What was found, and the longest stretch as a share of its bound.
pub(super) struct Unowned {
    pub(super) check: Check,
    pub(super) longest: f64,
}

/// Judges the gaps of all shards.
pub(super) fn check(
    observations: &Observations,
    timeline: &Timeline,
    histories: &Histories<'_>,
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
) -> Unowned {
    let mut check = Check::new("unowned");
    let mut longest = 0.0_f64;
    let holds = timeline.by_shard();
    for shard in 0..most_shards(&observations.schedule) {
        let laid_out = laid_out(histories, shard, observations);
        let windows =
            windows(histories.with(Role::Shard(shard)), &laid_out, eligibility, bounds, observations.ended);
        let holds = holds.get(&overlap_checker::records::Shard(shard)).map_or(&[][..], Vec::as_slice);
        for gap in gaps(observations, holds) {
            let Some(worst) = worst(gap.span, &windows, eligibility, bounds) else { continue };
            check.judged += 1;
            longest = longest.max(worst.share);
            if worst.share > 1.0 {
                let Stretch { span, who, bound, .. } = worst;
                check.violated(
                    span.from,
                    format!(
                        "Shard {shard} had no owner from {} to {} ({} and then {}), and {who} was fit to take it from {} to {}, \
                         which is {:?} longer than the bound of {:?}.",
                        gap.span.from,
                        gap.span.to,
                        gap.after,
                        gap.next,
                        span.from,
                        span.to,
                        short(span.length().saturating_sub(bound)),
                        short(bound),
                    ),
                );
            }
        }
    }
    Unowned { check, longest }
}

/// The time from one owner to the next.
struct Gap {
    span: Span,
    after: String,
    next: String,
}

fn gaps(observations: &Observations, holds: &[&Hold]) -> Vec<Gap> {
    let mut from = TrueTime::START;
    let mut after = "nobody".to_owned();
    let mut gaps = Vec::new();
    for hold in holds {
        let to = reconciles::true_time(hold.acquired);
        gaps.push(Gap { span: Span::new(from, to), after, next: hold.replica.to_string() });
        from = lost_at(observations, hold).max(from);
        after = hold.replica.to_string();
    }
    gaps.push(Gap { span: Span::new(from, observations.ended), after, next: "nobody".to_owned() });
    gaps.retain(|gap| !gap.span.is_empty());
    gaps
}

fn lost_at(observations: &Observations, hold: &Hold) -> TrueTime {
    let lapsed = reconciles::true_time(hold.valid.to);
    let process = observations.processes.iter().find(|process| process.identity == hold.replica);
    let out = process.and_then(|process| taken_out(process, lapsed, observations));
    out.map_or(lapsed, |out| out.max(reconciles::true_time(hold.acquired)))
}

/// A time during which one replica could have taken the shard.
struct Stretch {
    span: Span,
    who: String,
    bound: std::time::Duration,
    share: f64,
}

/// The stretch that comes nearest to its bound, or exceeds it the most.
fn worst(gap: Span, windows: &[Span], eligibility: &Eligibility<'_>, bounds: &Bounds) -> Option<Stretch> {
    let mut worst: Option<Stretch> = None;
    for window in near(windows, gap) {
        let window = window.common(gap);
        for (process, fit) in eligibility.all() {
            let bound = bounds.unowned(process.rate);
            for fit in near(fit, window) {
                let span = fit.common(window);
                let share = span.length().as_secs_f64() / bound.as_secs_f64();
                if worst.as_ref().is_none_or(|worst| worst.share < share) {
                    worst = Some(Stretch { span, who: process.identity.to_string(), bound, share });
                }
            }
        }
    }
    worst
}

/// When a layout was committed that has this shard: nobody has to take it before.
fn laid_out(histories: &Histories<'_>, shard: u32, observations: &Observations) -> Vec<Span> {
    let has_shard = |state: &LeaseState| has_shard(state, shard);
    present(histories.with(Role::Coordinator), has_shard, |_| false, observations.ended)
}

/// When the shard's Lease could be taken, cut where the wait begins anew.
fn windows(
    states: &[&LeaseState],
    laid_out: &[Span],
    eligibility: &Eligibility<'_>,
    bounds: &Bounds,
    ended: TrueTime,
) -> Vec<Span> {
    // Whoever falls right after its acquisition has not written it down yet: there and back, that is.
    let written_down = 2 * bounds.hop() + REACTION;
    let anew = |state: &LeaseState| match &state.by {
        None => true,
        Some(by) => !eligibility.throughout(&by.0, Span::new(state.at, (state.at + written_down).min(ended))),
    };
    let there = present(states, |state| state.spec.is_some(), anew, ended);
    let both =
        there.into_iter().flat_map(|span| near(laid_out, span).map(move |laid_out| span.common(laid_out)));
    both.collect()
}

/// The spans during which a Lease `is` so, cut where a change is one from which the wait begins `anew`.
fn present(
    states: &[&LeaseState],
    is: impl Fn(&LeaseState) -> bool,
    anew: impl Fn(&LeaseState) -> bool,
    ended: TrueTime,
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut since: Option<TrueTime> = None;
    for state in states {
        if let Some(from) = since
            && (!is(state) || anew(state))
        {
            spans.push(Span::new(from, state.at));
            since = None;
        }
        if since.is_none() && is(state) {
            since = Some(state.at);
        }
    }
    spans.extend(since.map(|from| Span::new(from, ended)));
    spans.retain(|span| !span.is_empty());
    spans
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only, only_of, passes};
    use crate::schedule::{FaultKind, LeaseChange, LeaseOf, Slot};

    /// A holds shard 0 and is killed at 40 s, right after a renewal; B takes it over at `next`.
    fn killed(next: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0);
        run.holds("a", 0, 20_000, 40_000).killed("a", 40_000);
        run.holds("b", 0, next, 100_000);
        run
    }

    #[test]
    fn a_takeover_within_the_bound_passes_and_is_measured() {
        let run = killed(55_100);
        let judgement = passes(&run);
        assert!(judgement.judged["unowned"] > 0);
        assert!((0.8..1.0).contains(&judgement.longest_unowned), "{judgement:?}");
    }

    #[test]
    fn a_late_takeover_is_caught() {
        let sentences = only(&killed(57_400), "unowned");
        assert!(
            sentences[0].contains("Shard 0 had no owner from 40.000 to 57.400 (a_1 and then b_1)"),
            "{sentences:?}"
        );
    }

    #[test]
    fn nobody_fit_nobody_late() {
        let mut run = killed(62_000);
        run.fault(FaultKind::ApiDown, 41_000, 45_000);
        passes(&run);
        // Once it answers again, and all have had their time to notice, the bound counts in full.
        let mut run = killed(75_000);
        run.fault(FaultKind::ApiDown, 41_000, 45_000);
        only(&run, "unowned");
    }

    /// A is killed at 40 s; the API server is down from 41 s to 57 s, for this reason; B takes the shard at `next`.
    fn down(what: FaultKind, next: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.ends(160_000).runs("a", 0, 0).runs("b", 1, 0);
        run.holds("a", 0, 20_000, 40_000).killed("a", 40_000);
        if matches!(what, FaultKind::Restore { .. }) {
            run.observations.restores.push(at(57_000));
        }
        run.fault(what, 41_000, 57_000);
        run.holds("b", 0, next, 160_000);
        run
    }

    #[test]
    fn a_restore_excuses_the_wait_for_lease_duration_and_nothing_beyond() {
        let restore = FaultKind::Restore { backup: at(35_000) };
        // B is fit again at about 65 s after an outage, and at 84 s after a restore. From there on it has 17 s.
        passes(&down(restore.clone(), 99_000));
        let sentences = only(&down(FaultKind::ApiDown, 99_000), "unowned");
        assert!(sentences[0].contains("and b_1 was fit to take it from 6"), "{sentences:?}");
        let sentences = only(&down(restore, 106_000), "unowned");
        assert!(sentences[0].contains("and b_1 was fit to take it from 8"), "{sentences:?}");
    }

    #[test]
    fn a_restore_that_is_long_over_excuses_nothing() {
        let mut run = RunBuilder::settled();
        run.ends(160_000).runs("a", 0, 0).runs("b", 1, 0);
        run.observations.restores.push(at(37_000));
        run.fault(FaultKind::Restore { backup: at(15_000) }, 20_000, 37_000);
        run.holds("a", 0, 60_000, 90_000).killed("a", 90_000);
        run.holds("b", 0, 107_500, 160_000);
        only(&run, "unowned");
    }

    #[test]
    fn a_partition_of_one_excuses_nobody_else() {
        let mut run = killed(58_000);
        run.runs("c", 2, 0);
        let direction = crate::schedule::Direction::Both;
        run.fault(FaultKind::Partition { slot: Slot(1), direction }, 39_000, 52_000);
        only(&run, "unowned");
    }

    #[test]
    fn a_hand_on_the_lease_makes_everyone_wait_anew() {
        let mut run = killed(60_500);
        run.fault(
            FaultKind::ChangeLease { lease: LeaseOf::Shard(0), what: LeaseChange::Label },
            45_000,
            45_000,
        );
        run.touched("op-shard-0", 45_000);
        passes(&run);
    }

    #[test]
    fn a_shard_that_stays_without_owner_is_caught() {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).holds("a", 0, 20_000, 40_000).killed("a", 40_000);
        let sentences = only_of(&run, "unowned", 1);
        assert!(sentences[0].contains("(a_1 and then nobody)"), "{sentences:?}");
    }
}
