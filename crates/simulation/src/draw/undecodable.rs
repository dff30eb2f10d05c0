//! Objects that do not decode while shards change hands. They have a random stream of their own, so that schedules without them stay as
//! they are.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::between;
use crate::schedule::{Fault, FaultKind, Oddity};
use crate::time::TrueTime;

/// One schedule in three has some: each time several objects, and meanwhile a replica that leaves its shards to others, who list them.
pub(super) fn draw(rng: &mut Rng, context: &Context, faults: &mut Vec<Fault>) {
    if rng.u8(..3) > 0 {
        return;
    }
    let lease_duration = context.timings.lease_duration;
    for _ in 0..rng.u8(1..=2) {
        let at = TrueTime::after_start(between(rng, context.busy_for / 4, context.busy_for * 3 / 4));
        let lasts = lease_duration * rng.u32(4..=8);
        let what = Oddity::Undecodable;
        for _ in 0..rng.u8(1..=3) {
            faults.push(Fault {
                at,
                lasts,
                what: FaultKind::Oddity { resource: context.resource(rng), what },
            });
        }
        let leaves = at + between(rng, Duration::from_secs(1), lease_duration);
        let (lasts, what) = (lease_duration * 2, FaultKind::Terminate(context.slot(rng)));
        faults.push(Fault { at: leaves, lasts, what });
    }
    faults.retain(|fault| fault.at.since_start() < context.busy_for);
    for fault in faults.iter_mut() {
        fault.lasts = fault.lasts.min(context.busy_for.saturating_sub(fault.at.since_start()));
    }
    faults.sort_by_key(|fault| fault.at);
}
