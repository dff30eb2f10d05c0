//! Connections that die without a word. They have a stream of dice of their own, so that schedules without them stay as they are.

use std::time::Duration;

use fastrand::Rng;

use super::dice::{between, millis, of};
use super::ground::Ground;
use crate::schedule::{Edit, Fault, FaultKind, ReplicaSpec, Seat};
use crate::time::TrueTime;

/// One schedule in three has some.
pub(super) fn draw(
    rng: &mut Rng,
    ground: &Ground,
    faults: &[Fault],
    edits: &[Edit],
    replicas: &[ReplicaSpec],
) -> Vec<Fault> {
    if rng.u8(..3) > 0 {
        return Vec::new();
    }
    let drawn = (0..rng.u8(1..=4)).map(|_| match rng.u8(..3) {
        0 => at_random(rng, ground),
        1 => under_reconciles(rng, ground, edits),
        _ => under_first_lists(rng, ground, faults, replicas),
    });
    let mut drawn: Vec<Fault> = drawn.collect();
    drawn.retain(|fault| fault.at.since_start() < ground.busy_for);
    for fault in &mut drawn {
        fault.lasts = fault.lasts.min(ground.busy_for.saturating_sub(fault.at.since_start()));
    }
    drawn
}

fn at_random(rng: &mut Rng, ground: &Ground) -> Fault {
    let at = TrueTime::after_start(between(rng, Duration::ZERO, ground.busy_for));
    dead(rng, ground, at)
}

/// What an edit sets off is under way.
fn under_reconciles(rng: &mut Rng, ground: &Ground, edits: &[Edit]) -> Fault {
    let Some(edit) = rng.choice(edits) else { return at_random(rng, ground) };
    let at = edit.at + millis(rng, 0..=300);
    dead(rng, ground, at)
}

/// Whoever has started or died, somebody lists the resources of shards that were not his before: as soon as he is there, or when
/// the Leases of the other have expired.
fn under_first_lists(rng: &mut Rng, ground: &Ground, faults: &[Fault], replicas: &[ReplicaSpec]) -> Fault {
    let mut handovers: Vec<(TrueTime, Seat)> =
        replicas.iter().zip(0..).map(|(replica, seat)| (replica.starts, Seat(seat))).collect();
    for fault in faults {
        match fault.what {
            FaultKind::Terminate(seat) => handovers.push((fault.at, ground.other_seat(rng, seat))),
            FaultKind::Crash(seat) => {
                handovers.push((fault.at + ground.timings.lease_duration, ground.other_seat(rng, seat)));
                handovers.push((fault.at + fault.lasts, seat));
            }
            _ => {}
        }
    }
    let Some(&(at, seat)) = rng.choice(&handovers) else { return at_random(rng, ground) };
    let lasts = ground.timings.retry_period * rng.u32(2..=5);
    let percent = of(rng, &[(1, 60), (1, 100)]);
    // It acquires shards, and so its Lease traffic is fine.
    Fault { at, lasts, what: FaultKind::DeadConnections { seat, percent, only_work: true } }
}

fn dead(rng: &mut Rng, ground: &Ground, at: TrueTime) -> Fault {
    let lasts = between(rng, Duration::from_millis(300), ground.timings.lease_duration);
    let percent = of(rng, &[(2, 30), (2, 60), (1, 100)]);
    let (seat, only_work) = (ground.seat(rng), rng.bool());
    Fault { at, lasts, what: FaultKind::DeadConnections { seat, percent, only_work } }
}
