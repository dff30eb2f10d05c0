//! Containers that end and are started again in their Pods. They have a random stream of their own, so that schedules without them stay as they are.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::layout::{beside_unsharded, occupy};
use super::ranges::{between, millis};
use crate::schedule::{Direction, Fault, FaultKind, Slot};
use crate::time::TrueTime;

/// One schedule in so many has some.
const ONE_IN: u8 = 3;

/// Adds restarts to some schedules.
pub(super) fn draw(rng: &mut Rng, context: &Context, faults: &mut Vec<Fault>) {
    if rng.u8(..ONE_IN) > 0 {
        return;
    }
    for _ in 0..rng.u8(1..=3) {
        let at = TrueTime::after_start(between(rng, context.timings.lease_duration * 2, context.busy_for));
        let slot = context.slot(rng);
        // A known limit: whoever starts when that operator has just released the coordinator Lease cannot know who held it before.
        if beside_unsharded(faults, context, at) {
            continue;
        }
        let drawn = match rng.u8(..4) {
            0 => vec![restart(rng, context, slot, at)],
            1 => with_writes_under_way(rng, context, slot, at, faults),
            2 => again_and_again(rng, context, slot, at),
            _ => beside_one_that_is_cut_off(rng, context, slot, at),
        };
        faults.extend(drawn.into_iter().filter(|fault| fault.at.since_start() < context.busy_for));
    }
    for fault in faults.iter_mut() {
        fault.lasts = fault.lasts.min(context.busy_for.saturating_sub(fault.at.since_start()));
    }
}

/// Mostly at once, sometimes after a back-off.
fn restart(rng: &mut Rng, context: &Context, slot: Slot, at: TrueTime) -> Fault {
    let most = if rng.u8(..4) == 0 { context.timings.lease_duration } else { Duration::from_millis(1_500) };
    let lasts = between(rng, Duration::from_millis(100), most);
    Fault { at, lasts, what: FaultKind::Restart(slot) }
}

/// What the process has sent arrives as late as is assumed of any request: when the next one has long begun.
fn with_writes_under_way(
    rng: &mut Rng,
    context: &Context,
    slot: Slot,
    at: TrueTime,
    others: &[Fault],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    occupy(rng, context, at, &mut faults);
    let killed = at + millis(rng, 400..=1_500);
    // Two at once would be slower than is assumed.
    let is_slow = |other: &Fault| {
        matches!(other.what, FaultKind::Slow { slot: whose, .. } if whose == slot)
            && other.at <= killed
            && other.at + other.lasts >= at
    };
    if !others.iter().any(is_slow) {
        let what = FaultKind::Slow { slot, requests: context.held_up, answers: Duration::ZERO };
        faults.push(Fault { at, lasts: killed.since(at), what });
    }
    let lasts = millis(rng, 100..=400);
    faults.push(Fault { at: killed, lasts, what: FaultKind::Restart(slot) });
    faults
}

/// The last one has to know of the first, which held the Leases.
fn again_and_again(rng: &mut Rng, context: &Context, slot: Slot, at: TrueTime) -> Vec<Fault> {
    let mut at = at;
    let mut faults = Vec::new();
    for _ in 0..rng.u8(2..=4) {
        let lasts = millis(rng, 100..=800);
        faults.push(Fault { at, lasts, what: FaultKind::Restart(slot) });
        at = at + lasts + between(rng, Duration::from_millis(100), context.timings.margin());
    }
    faults
}

/// That one has not ended, whatever is known of others.
fn beside_one_that_is_cut_off(rng: &mut Rng, context: &Context, slot: Slot, at: TrueTime) -> Vec<Fault> {
    let what = FaultKind::Partition { slot: context.other_slot(rng, slot), direction: Direction::Both };
    let cut_off = Fault { at, lasts: context.timings.lease_duration, what };
    let at = at + millis(rng, 0..=1_000);
    vec![cut_off, restart(rng, context, slot, at)]
}
