//! Connections that die without a word. They have a random stream of their own, so that schedules without them stay as they are.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, millis, of};
use crate::schedule::{Edit, Fault, FaultKind, ReplicaSpec, Slot};
use crate::time::TrueTime;

/// One schedule in three has some.
pub(super) fn draw(
    rng: &mut Rng,
    context: &Context,
    faults: &[Fault],
    edits: &[Edit],
    replicas: &[ReplicaSpec],
) -> Vec<Fault> {
    if rng.u8(..3) > 0 {
        return Vec::new();
    }
    let drawn = (0..rng.u8(1..=4)).flat_map(|_| match rng.u8(..3) {
        0 => vec![at_random(rng, context)],
        1 => under_reconciles(rng, context, edits, replicas),
        _ => vec![under_first_lists(rng, context, faults, replicas)],
    });
    let mut drawn: Vec<Fault> = drawn.collect();
    drawn.retain(|fault| fault.at.since_start() < context.busy_for);
    for fault in &mut drawn {
        fault.lasts = fault.lasts.min(context.busy_for.saturating_sub(fault.at.since_start()));
    }
    drawn
}

fn at_random(rng: &mut Rng, context: &Context) -> Fault {
    let at = TrueTime::after_start(between(rng, Duration::ZERO, context.busy_for));
    dead(rng, context, at)
}

/// What an edit sets off is under way, in whichever replica: each request of a reconcile takes some milliseconds, so all replicas are hit.
fn under_reconciles(
    rng: &mut Rng,
    context: &Context,
    edits: &[Edit],
    replicas: &[ReplicaSpec],
) -> Vec<Fault> {
    let Some(edit) = rng.choice(edits) else { return vec![at_random(rng, context)] };
    let at = edit.at + millis(rng, 20..=150);
    let slots = (0..).take(replicas.len()).map(Slot);
    slots
        .map(|slot| Fault {
            what: FaultKind::DeadConnections { slot, percent: 100, only_work: true },
            ..dead(rng, context, at)
        })
        .collect()
}

/// Whoever has started or died, somebody lists the resources of shards that were not his before: as soon as he is there, or when
/// the Leases of the other have expired.
fn under_first_lists(rng: &mut Rng, context: &Context, faults: &[Fault], replicas: &[ReplicaSpec]) -> Fault {
    let mut handovers: Vec<(TrueTime, Slot)> =
        replicas.iter().zip(0..).map(|(replica, slot)| (replica.starts, Slot(slot))).collect();
    for fault in faults {
        match fault.what {
            FaultKind::Terminate(slot) => handovers.push((fault.at, context.other_slot(rng, slot))),
            FaultKind::Crash(slot) | FaultKind::Restart(slot) => {
                handovers.push((fault.at + context.timings.lease_duration, context.other_slot(rng, slot)));
                handovers.push((fault.at + fault.lasts, slot));
            }
            _ => {}
        }
    }
    let Some(&(at, slot)) = rng.choice(&handovers) else { return at_random(rng, context) };
    let lasts = context.timings.retry_period * rng.u32(2..=5);
    let percent = of(rng, &[(1, 60), (1, 100)]);
    // It acquires shards, and so its Lease traffic is fine.
    Fault { at, lasts, what: FaultKind::DeadConnections { slot, percent, only_work: true } }
}

fn dead(rng: &mut Rng, context: &Context, at: TrueTime) -> Fault {
    let lasts = between(rng, Duration::from_millis(300), context.timings.lease_duration);
    let percent = of(rng, &[(2, 30), (2, 60), (1, 100)]);
    let (slot, only_work) = (context.slot(rng), rng.bool());
    Fault { at, lasts, what: FaultKind::DeadConnections { slot, percent, only_work } }
}
