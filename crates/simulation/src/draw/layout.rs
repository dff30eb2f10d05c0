//! Two ways in which a layout comes to an end: replicas that are set to another one, and a version that knows of none.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, millis, of};
use crate::schedule::{Direction, Fault, FaultKind, LeaseChange, LeaseOf, Listed, Oddity, Slot};
use crate::time::TrueTime;

/// A replica is started with another number of shards, and refuses. Somebody deletes the coordinator Lease, and within LeaseDuration,
/// while the others are cut off, the shard Leases: nothing tells of the former layout when another is committed, and who holds its
/// shards may not know. Later the newcomer is told to stop, about when the others are back and still believe in the former layout.
///
/// Says how long that is.
pub(super) fn other_shards(
    rng: &mut Rng,
    context: &Context,
    at: TrueTime,
    faults: &mut Vec<Fault>,
) -> Duration {
    let timings = context.timings;
    let lease_duration = timings.lease_duration;
    let newcomer = context.slot(rng);
    // More of them, mostly: then there are numbers that no Lease had before.
    let more = context.shards + rng.u16(1..=8);
    let shards = of(rng, &[(3, more), (1, (context.shards / 2).max(1))]);
    let shards = if shards == context.shards { more } else { shards };
    let deletion = |at, lease| Fault {
        at,
        lasts: Duration::ZERO,
        what: FaultKind::ChangeLease { lease, what: LeaseChange::Delete },
    };
    // It has listed the Leases for LeaseDuration by then.
    let first = at + lease_duration + between(rng, Duration::ZERO, lease_duration / 2);
    faults.push(deletion(first, LeaseOf::Coordinator));
    // Later than the margin, the validity of what is held still goes on when the new layout is committed.
    let second = first + between(rng, timings.margin(), lease_duration);
    for shard in 0..context.shards {
        faults.push(deletion(second + millis(rng, 450..=800), LeaseOf::Shard(shard)));
    }
    // So that the others are in the middle of something when they are cut off.
    occupy(rng, context, second, faults);
    // Committed after LeaseDuration, and held after two.
    let told = first + 2 * lease_duration + between(rng, timings.retry_period, lease_duration);
    // Once in two they are cut off before the coordinator Lease goes. Then they believe in the former layout still when they come back, win
    // shards by reading their Leases by name, and have to find out from the coordinator Lease.
    let unaware = rng.bool();
    for slot in (0..context.slots).map(Slot).filter(|slot| *slot != newcomer) {
        // Before the deletions: they must not hear of them, nor of the new layout.
        let from = if unaware { first - millis(rng, 300..=500) } else { second + millis(rng, 300..=400) };
        let back = told + between(rng, Duration::ZERO, timings.retry_period * 2);
        let direction = of(rng, &[(2, Direction::Both), (1, Direction::FromServer)]);
        let what = FaultKind::Partition { slot, direction };
        faults.push(Fault { at: from, lasts: back.since(from), what });
        if unaware || rng.bool() {
            // Back, they find free Leases by name, and still know no better than that their own layout is committed.
            let lasts = back.since(from) + between(rng, timings.retry_period, lease_duration);
            let what = FaultKind::FailingList { slot, of: Listed::Leases, forbidden: false };
            faults.push(Fault { at: from, lasts, what });
        }
    }
    faults.push(Fault { at: told, lasts: lease_duration, what: FaultKind::Terminate(newcomer) });
    let over = told + lease_duration + between(rng, timings.retry_period, lease_duration * 2);
    let what = FaultKind::OtherShards { slot: newcomer, shards };
    faults.push(Fault { at, lasts: over.since(at), what });
    over.since(at) + lease_duration
}

/// An operator of the old kind contends for the coordinator Lease, and gets it when the coordinator gives it up. Either the replicas are told
/// to stop one after the other, as in a rolling update back, or somebody blanks the holder and all of them are still there. In that case it
/// may be gone again, and have released the Lease in good order, while the coordinator still believes in itself.
pub(super) fn unsharded(rng: &mut Rng, context: &Context, at: TrueTime, faults: &mut Vec<Fault>) -> Duration {
    let timings = context.timings;
    let lease_duration = timings.lease_duration;
    let anew = rng.u8(..3) == 0;
    occupy(rng, context, at, faults);
    let begins = at + millis(rng, 300..=500);
    let blanked = begins + millis(rng, 100..=1_000);
    let blank = Fault {
        at: blanked,
        lasts: Duration::ZERO,
        what: FaultKind::ChangeLease { lease: LeaseOf::Coordinator, what: LeaseChange::BlankHolder },
    };
    let (lasts, releases) = match rng.u8(..4) {
        0 => {
            faults.push(blank);
            let gone = blanked + between(rng, Duration::ZERO, timings.renew_deadline / 2);
            (gone.since(begins), true)
        }
        1 => {
            faults.push(blank);
            (between(rng, lease_duration * 2, lease_duration * 4), rng.bool())
        }
        _ => {
            let turn = between(rng, Duration::from_secs(1), lease_duration / 2);
            faults.extend((0_u32..).zip(0..context.slots).map(|(nth, slot)| Fault {
                at: blanked + turn * nth,
                lasts: turn,
                what: FaultKind::Terminate(Slot(slot)),
            }));
            (between(rng, lease_duration * 2, lease_duration * 4), rng.bool())
        }
    };
    faults.push(Fault { at: begins, lasts, what: FaultKind::Unsharded { anew, releases } });
    begins.since(at) + lasts + lease_duration
}

/// Whether an operator that does not shard holds the coordinator Lease about this time, or has shortly before.
pub(super) fn beside_unsharded(faults: &[Fault], context: &Context, at: TrueTime) -> bool {
    let around = context.timings.lease_duration * 2;
    faults.iter().any(|fault| {
        matches!(fault.what, FaultKind::Unsharded { .. })
            && fault.at <= at + around
            && at <= fault.at + fault.lasts + around
    })
}

/// Gives the replicas something to reconcile in the moments after this.
pub(super) fn occupy(rng: &mut Rng, context: &Context, from: TrueTime, faults: &mut Vec<Fault>) {
    for _ in 0..6 {
        let at = from + millis(rng, 0..=300);
        let what = FaultKind::Oddity { resource: context.resource(rng), what: Oddity::Bulk };
        faults.push(Fault { at, lasts: context.timings.lease_duration, what });
    }
}
