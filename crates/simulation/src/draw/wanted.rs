//! The wanted number of shards, as a ConfigMap says it, and how that changes. It has a random stream of its own, so that everything else of a schedule
//! stays as it is.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::layout::{beside_unsharded, occupy};
use super::ranges::{between, millis, of};
use crate::schedule::{Fault, FaultKind, WantedShards};
use crate::time::TrueTime;

/// One schedule in so many has the ConfigMap.
const ONE_IN: u8 = 3;

/// Whether there is a ConfigMap; adds what happens to it.
pub(super) fn draw(rng: &mut Rng, context: &Context, faults: &mut Vec<Fault>) -> bool {
    if rng.u8(..ONE_IN) > 0 {
        return false;
    }
    for _ in 0..rng.u8(1..=4) {
        let lease_duration = context.timings.lease_duration;
        let at = TrueTime::after_start(between(rng, lease_duration * 2, context.busy_for));
        let what = match rng.u8(..8) {
            0 => WantedShards::Invalid,
            1 => WantedShards::Deleted,
            _ => WantedShards::Number(number(rng, context)),
        };
        // One time in three it is changed again in the middle of the change.
        let lasts = if rng.u8(..3) == 0 {
            between(rng, Duration::from_millis(500), lease_duration * 2)
        } else {
            lease_duration * rng.u32(4..=10)
        };
        occupy(rng, context, at, faults);
        faults.push(Fault { at, lasts, what: FaultKind::WantedShards(what) });
        // A known limit: whoever starts when that operator has just released the coordinator Lease cannot know who held it before.
        if !beside_unsharded(faults, context, at) {
            beside(rng, context, at, faults);
        }
    }
    faults.retain(|fault| fault.at.since_start() < context.busy_for);
    for fault in faults.iter_mut() {
        fault.lasts = fault.lasts.min(context.busy_for.saturating_sub(fault.at.since_start()));
    }
    true
}

/// More or fewer than there are, or a single one.
fn number(rng: &mut Rng, context: &Context) -> u16 {
    let shards = context.shards;
    let more = shards + rng.u16(1..=4);
    let drawn = of(rng, &[(2, shards * 2), (3, more), (2, shards.div_ceil(2)), (1, 1)]);
    if drawn == shards { shards + 1 } else { drawn }
}

/// What may happen while the number of shards changes.
fn beside(rng: &mut Rng, context: &Context, at: TrueTime, faults: &mut Vec<Fault>) {
    let (lease_duration, slot) = (context.timings.lease_duration, context.slot(rng));
    let during = at + between(rng, Duration::ZERO, lease_duration * 2);
    let fault = match rng.u8(..6) {
        // Its coordinator may see the ConfigMap late, and its holders the layout.
        0 => Fault {
            at: at - millis(rng, 100..=1_000),
            lasts: lease_duration * 2,
            what: FaultKind::HangWatches(slot),
        },
        1 => Fault { at: during, lasts: lease_duration, what: FaultKind::Crash(slot) },
        2 => Fault { at: during, lasts: lease_duration, what: FaultKind::Terminate(slot) },
        3 => Fault { at: during, lasts: context.span(rng), what: FaultKind::Pause(slot) },
        // The settings of before, beside those of now, as in a rolling update.
        4 => {
            let what = FaultKind::OtherShards { slot, shards: number(rng, context) };
            Fault { at: during, lasts: lease_duration * rng.u32(2..=6), what }
        }
        _ => return,
    };
    faults.push(fault);
}
