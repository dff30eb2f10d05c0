//! At the end of some schedules, when all else is over, one replica may not list its resources for long. They have a random stream of their
//! own, so that schedules without it stay as they are.

use std::time::Duration;

use fastrand::Rng;

use super::ranges::between;
use crate::checks::bounds::Bounds;
use crate::schedule::{Fault, FaultKind, Listed, Schedule, Slot};
use crate::time::TrueTime;

/// One schedule in so many ends like this.
const ONE_IN: u8 = 10;

/// With more, the time that handovers may take is too long.
const MOST_SHARDS: u16 = 6;

/// Adds to some schedules a replica that cannot list, after the busy phase, for longer than it may keep its shards. There have to be shards
/// for all.
pub(super) fn add(rng: &mut Rng, schedule: &mut Schedule) {
    let slots = schedule.replicas.len();
    if rng.u8(..ONE_IN) != 0 || schedule.shards > MOST_SHARDS || usize::from(schedule.shards) < slots {
        return;
    }
    let lease_duration = schedule.timings.lease_duration;
    // Shards have been rebalanced by then, mostly.
    let at = TrueTime::after_start(schedule.busy_for + lease_duration * 4);
    let bound = Bounds::of(schedule).left_to_others();
    // Meanwhile it looks again, after one LeaseDuration, two more, and so on.
    let lasts = bound + between(rng, lease_duration * 2, lease_duration * 8);
    let (slot, forbidden) = (Slot(rng.usize(..slots)), rng.bool());
    let what = FaultKind::FailingList { slot, of: Listed::Resources, forbidden };
    schedule.faults.push(Fault { at, lasts, what });
    schedule.busy_for = at.since_start() + lasts + Duration::from_secs(1);
}
