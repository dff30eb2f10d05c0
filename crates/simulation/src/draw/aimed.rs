//! Faults that aim at one moment: where one alone is harmless, two within a LeaseDuration may not be.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::kinds::{direction, lease_change, listed, slow};
use super::layout::occupy;
use super::ranges::{between, millis};
use crate::schedule::{ApiFailure, Direction, Fault, FaultKind, LeaseChange, LeaseOf};
use crate::time::TrueTime;

type Aim = fn(&mut Rng, &Context, TrueTime) -> Vec<Fault>;

/// One of the aims.
pub(super) fn draw(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let aims: [Aim; 16] = [
        paused_while_cut_off,
        crash_while_answers_are_lost,
        lease_deleted_under_a_paused_holder,
        told_to_stop_while_answers_are_late,
        asleep_with_slow_requests_under_way,
        handover_behind_hanging_watches,
        coordinator_gone_with_its_lease,
        label_changed_under_a_paused_owner,
        wall_clock_set_during_a_takeover,
        two_that_take_turns_in_pausing,
        writes_that_landed_after_all,
        history_gone_while_away,
        rights_gone_before_a_start,
        told_to_stop_while_writes_are_given_up_on,
        told_to_stop_with_writes_under_way,
        shorter_record_over_a_holder_that_is_cut_off,
    ];
    let aim = aims[rng.usize(..aims.len())];
    aim(rng, context, at)
}

/// Its renewals fail, it is stopped before it notices, and wakes around the end of its validity or after.
fn paused_while_cut_off(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let cut_off = Fault {
        at,
        lasts: context.span(rng),
        what: FaultKind::Partition { slot, direction: direction(rng) },
    };
    let at = at + between(rng, Duration::ZERO, context.timings.retry_period);
    vec![cut_off, Fault { at, lasts: around_expiry(rng, context), what: FaultKind::Pause(slot) }]
}

/// What it wrote last is known to nobody, and it comes back under another name.
fn crash_while_answers_are_lost(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let retry_period = context.timings.retry_period;
    let lost = Fault { at, lasts: retry_period * 3, what: FaultKind::LoseAnswers { slot, percent: 100 } };
    let at = at + between(rng, Duration::ZERO, retry_period * 3);
    let lasts = between(rng, Duration::from_millis(300), context.timings.lease_duration);
    vec![lost, Fault { at, lasts, what: FaultKind::Crash(slot) }]
}

/// Interference see no Lease while its holder may still believe in it.
fn lease_deleted_under_a_paused_holder(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let pause = Fault { at, lasts: around_expiry(rng, context), what: FaultKind::Pause(context.slot(rng)) };
    let deletions = (0..context.shards.min(3)).map(|_| Fault {
        at: at + between(rng, Duration::ZERO, pause.lasts),
        lasts: Duration::ZERO,
        what: FaultKind::ChangeLease { lease: context.lease(rng), what: lease_change(rng) },
    });
    let mut faults: Vec<_> = deletions.collect();
    faults.push(pause);
    faults
}

/// The drain, the last renewals and the release, with answers that come when they no longer count.
fn told_to_stop_while_answers_are_late(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let late = Fault { at, lasts: context.timings.lease_duration * 2, what: slow(rng, context, slot) };
    let at = at + between(rng, Duration::ZERO, context.timings.lease_duration);
    vec![late, Fault { at, lasts: context.timings.lease_duration * 2, what: FaultKind::Terminate(slot) }]
}

/// The requests that it had sent arrive while its clock stands still.
fn asleep_with_slow_requests_under_way(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let delayed = Fault { at, lasts: context.timings.lease_duration, what: slow(rng, context, slot) };
    let at = at + between(rng, Duration::ZERO, context.timings.retry_period * 2);
    vec![delayed, Fault { at, lasts: around_expiry(rng, context), what: FaultKind::Suspend(slot) }]
}

/// Nobody sees that Leases became free, nor that the successor took them.
fn handover_behind_hanging_watches(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let leaving = context.slot(rng);
    let lasts = between(rng, context.timings.retry_period, context.timings.lease_duration * 2);
    let blind = context.other_slot(rng, leaving);
    let told = at + between(rng, Duration::ZERO, lasts / 2);
    vec![
        Fault { at, lasts, what: FaultKind::HangWatches(blind) },
        Fault { at, lasts, what: FaultKind::HangWatches(leaving) },
        Fault { at: told, lasts: context.timings.lease_duration, what: FaultKind::Terminate(leaving) },
    ]
}

/// Layout and plan live on the coordinator's Lease.
fn coordinator_gone_with_its_lease(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let deletion = FaultKind::ChangeLease { lease: LeaseOf::Coordinator, what: LeaseChange::Delete };
    let lasts = between(rng, Duration::from_secs(1), context.timings.lease_duration * 2);
    vec![
        Fault { at: at + millis(rng, 0..=500), lasts, what: FaultKind::Crash(context.slot(rng)) },
        Fault { at: at + millis(rng, 0..=500), lasts: Duration::ZERO, what: deletion },
    ]
}

/// A resource leaves its shard while a reconcile of it stands still.
fn label_changed_under_a_paused_owner(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let lasts = context.span(rng);
    let pause = Fault { at, lasts, what: FaultKind::Pause(context.slot(rng)) };
    let forgeries = (0..rng.u8(1..=4)).map(|_| Fault {
        at: at + between(rng, Duration::ZERO, lasts),
        lasts: Duration::ZERO,
        what: FaultKind::Label { resource: context.resource(rng), forged: rng.bool().then(|| rng.u8(..)) },
    });
    let mut faults: Vec<_> = forgeries.collect();
    faults.push(pause);
    faults
}

/// Whoever compares a renewTime with a wall clock is fooled here, either way.
fn wall_clock_set_during_a_takeover(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let gone = context.slot(rng);
    let lasts = context.timings.lease_duration * 2;
    let cut_off = FaultKind::Partition { slot: gone, direction: Direction::Both };
    let by_ms = rng.i64(10_000..=7_200_000) * if rng.bool() { 1 } else { -1 };
    let jump = FaultKind::WallJump { slot: context.other_slot(rng, gone), by_ms };
    let later = at + between(rng, Duration::ZERO, context.timings.lease_duration);
    vec![Fault { at, lasts, what: cut_off }, Fault { at: later, lasts: Duration::ZERO, what: jump }]
}

/// One wakes as the other stops: each may find its Leases with the other.
fn two_that_take_turns_in_pausing(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let first = context.slot(rng);
    let second = context.other_slot(rng, first);
    let lasts = around_expiry(rng, context);
    let turn = at + lasts.saturating_sub(millis(rng, 0..=200)) + millis(rng, 0..=200);
    vec![
        Fault { at, lasts, what: FaultKind::Pause(first) },
        Fault { at: turn, lasts: around_expiry(rng, context), what: FaultKind::Pause(second) },
    ]
}

/// 504 and done: the client that takes it for a failure does it twice, the one that takes it for a success may be wrong.
fn writes_that_landed_after_all(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let timeout = FaultKind::Api { failure: ApiFailure::TimeoutAfter, percent: 100 };
    let lasts = between(rng, context.timings.retry_period, context.timings.lease_duration);
    let stop = FaultKind::Pause(context.slot(rng));
    let later = at + between(rng, Duration::ZERO, lasts);
    vec![
        Fault { at, lasts, what: timeout },
        Fault { at: later, lasts: around_expiry(rng, context), what: stop },
    ]
}

/// Its watches go on from a state that the API server no longer knows.
fn history_gone_while_away(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let lasts = context.span(rng);
    let forgotten = at + between(rng, Duration::ZERO, lasts);
    vec![
        Fault { at, lasts, what: FaultKind::Partition { slot, direction: direction(rng) } },
        Fault { at: forgotten, lasts: Duration::ZERO, what: FaultKind::Compact },
    ]
}

/// What it takes over, it cannot list, and for long.
fn rights_gone_before_a_start(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let lasts = context.timings.lease_duration * rng.u32(2..=6);
    let refused = FaultKind::FailingList { slot, of: listed(rng), forbidden: rng.bool() };
    let gone = between(rng, Duration::from_millis(300), context.timings.lease_duration);
    let other = if rng.bool() { slot } else { context.other_slot(rng, slot) };
    vec![
        Fault { at, lasts, what: refused },
        Fault { at: at + millis(rng, 0..=3_000), lasts: gone, what: FaultKind::Crash(other) },
    ]
}

/// Its last writes fail for all that it knows, and land while it releases, or after.
fn told_to_stop_while_writes_are_given_up_on(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let lasts = between(rng, Duration::from_millis(500), context.timings.retry_period * 2);
    let breaks = FaultKind::BreakConnections {
        slot,
        within: context.held_up,
        percent: rng.u8(20..=70),
        only_writes: false,
    };
    let told = at + between(rng, Duration::ZERO, lasts);
    vec![
        Fault { at, lasts, what: breaks },
        Fault { at: told, lasts: context.timings.lease_duration * 2, what: FaultKind::Terminate(slot) },
    ]
}

/// In the middle of reconciles, whose writes are on their way when it gives them up. Its Lease traffic is fine, so that the drain, the
/// release and the takeover follow at once: nothing but the wait of the release keeps these writes from landing beside the successor.
fn told_to_stop_with_writes_under_way(rng: &mut Rng, context: &Context, at: TrueTime) -> Vec<Fault> {
    let slot = context.slot(rng);
    let mut faults = Vec::new();
    occupy(rng, context, at, &mut faults);
    let breaks =
        FaultKind::BreakConnections { slot, within: context.held_up, percent: 100, only_writes: true };
    let lasts = context.timings.lease_duration;
    faults.push(Fault { at, lasts, what: breaks });
    let told = at + millis(rng, 100..=600);
    faults.push(Fault { at: told, lasts: lasts * 2, what: FaultKind::Terminate(slot) });
    faults
}

/// Somebody writes another holder over the one that is there, and a LeaseDuration of a second. Who is cut off does not hear of it, and
/// believes in the record that was there before, which lasts longer.
fn shorter_record_over_a_holder_that_is_cut_off(
    rng: &mut Rng,
    context: &Context,
    at: TrueTime,
) -> Vec<Fault> {
    let cut_off = FaultKind::Partition { slot: context.slot(rng), direction: direction(rng) };
    let mut faults = vec![Fault { at, lasts: around_expiry(rng, context), what: cut_off }];
    for shard in 0..context.shards {
        let what = FaultKind::ChangeLease { lease: LeaseOf::Shard(shard), what: LeaseChange::ShortRecord };
        faults.push(Fault { at: at + millis(rng, 100..=500), lasts: Duration::ZERO, what });
    }
    faults
}

/// From shortly before the end of validity to shortly after the end of the Lease.
fn around_expiry(rng: &mut Rng, context: &Context) -> Duration {
    let retry_period = context.timings.retry_period;
    between(
        rng,
        context.timings.renew_deadline.saturating_sub(retry_period),
        context.timings.lease_duration + retry_period,
    )
}
