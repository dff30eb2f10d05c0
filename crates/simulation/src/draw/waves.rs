//! Faults come in waves: several at once, one alone, some aimed, and calm in between so that shards are rebalanced.

use std::time::Duration;

use fastrand::Rng;

use super::aimed;
use super::context::Context;
use super::fleet::wall_offset;
use super::kinds::{api_failure, direction, lease_change, listed, oddity, slow};
use super::layout;
use super::ranges::{between, millis, of};
use crate::schedule::{Fault, FaultKind, Slot};
use crate::time::TrueTime;

#[derive(Clone, Copy)]
enum Wave {
    /// Nothing, for long enough that a rebalance happens.
    Calm,
    /// One fault, and its consequences.
    Single,
    /// Several within two LeaseDurations.
    Burst,
    /// Several that aim at one moment.
    Aimed,
    /// One replica after another is told to stop, as a rollout does.
    RollingRestart,
    /// One process that dies shortly after each start.
    CrashLoop,
    /// Leases are deleted in steps, and a replica that is set to another number of shards takes over.
    OtherShards,
    /// The fleet is rolled back to a version that does not shard, and forward again.
    Unsharded,
}

pub(super) fn draw(rng: &mut Rng, context: &Context) -> Vec<Fault> {
    let lease_duration = context.timings.lease_duration;
    let mut faults = Vec::new();
    // One time in three already while the installation comes up.
    let mut at = if rng.u8(..3) == 0 { Duration::ZERO } else { lease_duration * 2 };
    while at < context.busy_for {
        at += wave(rng, context, TrueTime::after_start(at), &mut faults);
        at += between(rng, lease_duration / 4, lease_duration);
    }
    fit(faults, context.busy_for)
}

/// Adds a wave and says how long it is.
fn wave(rng: &mut Rng, context: &Context, at: TrueTime, faults: &mut Vec<Fault>) -> Duration {
    let lease_duration = context.timings.lease_duration;
    let kinds = [
        // Not at first: where Leases are long, a calm stretch may fill a short schedule.
        (if faults.is_empty() { 0 } else { 4 }, Wave::Calm),
        (5, Wave::Single),
        (5, Wave::Burst),
        (6, Wave::Aimed),
        (1, Wave::RollingRestart),
        (1, Wave::CrashLoop),
        (1, Wave::OtherShards),
        (3, Wave::Unsharded),
    ];
    match of(rng, &kinds) {
        Wave::Calm => lease_duration * rng.u32(4..=8),
        Wave::Single => {
            let fault = fault(rng, context, at);
            let length = fault.lasts + lease_duration;
            faults.push(fault);
            length
        }
        Wave::Burst => {
            for _ in 0..rng.u8(3..=8) {
                let at = at + between(rng, Duration::ZERO, lease_duration * 2);
                faults.push(fault(rng, context, at));
            }
            lease_duration * 3
        }
        Wave::Aimed => {
            faults.extend(aimed::draw(rng, context, at));
            lease_duration * 2
        }
        Wave::OtherShards => layout::other_shards(rng, context, at, faults),
        Wave::Unsharded => layout::unsharded(rng, context, at, faults),
        Wave::RollingRestart => {
            let turn = between(rng, Duration::from_secs(1), lease_duration * 2);
            let slots = u32::try_from(context.slots).unwrap_or(u32::MAX);
            faults.extend((0..slots).zip(0..).map(|(nth, slot)| Fault {
                at: at + turn * nth,
                lasts: turn.mul_f64(0.8),
                what: FaultKind::Terminate(Slot(slot)),
            }));
            turn * slots
        }
        Wave::CrashLoop => {
            let slot = context.slot(rng);
            let times = rng.u32(3..=6);
            let turn = between(rng, Duration::from_secs(2), lease_duration.max(Duration::from_secs(6)));
            faults.extend((0..times).map(|nth| Fault {
                at: at + turn * nth,
                lasts: turn.mul_f64(0.3),
                what: FaultKind::Crash(slot),
            }));
            turn * times
        }
    }
}

/// Any fault. None has a way to say how long it lasts but `lasts`, so what happens in an instant gets nothing there.
pub(super) fn fault(rng: &mut Rng, context: &Context, at: TrueTime) -> Fault {
    let slot = context.slot(rng);
    let percent = of(rng, &[(2, 10), (3, 30), (2, 60), (2, 100)]);
    let what = match rng.u8(..29) {
        0 | 1 => FaultKind::Pause(slot),
        2 => FaultKind::Suspend(slot),
        3 | 4 => FaultKind::Crash(slot),
        5 => FaultKind::Terminate(slot),
        6 => FaultKind::WallJump { slot, by_ms: wall_offset(rng) },
        7..=9 => FaultKind::Partition { slot, direction: direction(rng) },
        10 | 11 => slow(rng, context, slot),
        12 => FaultKind::LoseRequests { slot, percent },
        13 => FaultKind::LoseAnswers { slot, percent },
        14 => FaultKind::HangWatches(slot),
        15 => FaultKind::TearWatches(slot),
        16 => FaultKind::LagWatches { slot, by: context.span(rng) },
        17..=19 => FaultKind::Api { failure: api_failure(rng), percent },
        20 => FaultKind::Compact,
        21 => FaultKind::ApiDown,
        26 => FaultKind::BreakConnections { slot, within: context.held_up, percent, only_writes: false },
        24 => FaultKind::FailingList { slot, of: listed(rng), forbidden: rng.bool() },
        25 | 27 | 28 => FaultKind::Oddity { resource: context.resource(rng), what: oddity(rng) },
        22 => FaultKind::ChangeLease { lease: context.lease(rng), what: lease_change(rng) },
        _ => {
            let forged = rng.bool().then(|| rng.u8(..));
            FaultKind::Label { resource: context.resource(rng), forged }
        }
    };
    let lasts = match &what {
        FaultKind::WallJump { .. }
        | FaultKind::Compact
        | FaultKind::ChangeLease { .. }
        | FaultKind::Label { .. } => Duration::ZERO,
        FaultKind::Crash(_) | FaultKind::Terminate(_) => {
            millis(rng, 300..=1_000) + between(rng, Duration::ZERO, context.timings.lease_duration * 2)
        }
        _ => context.span(rng),
    };
    Fault { at, lasts, what }
}

/// Everything is over when the quiet phase begins, in order, and no request is slowed down by two at once: each may have
/// used up what is assumed of the network.
fn fit(mut faults: Vec<Fault>, busy_for: Duration) -> Vec<Fault> {
    faults.retain(|fault| fault.at.since_start() < busy_for);
    faults.sort_by_key(|fault| fault.at);
    let mut fitting: Vec<Fault> = Vec::new();
    for mut fault in faults {
        fault.lasts = fault.lasts.min(busy_for.saturating_sub(fault.at.since_start()));
        let slowed_already = matches!(fault.what, FaultKind::Slow { .. })
            && fitting.iter().any(|other| {
                matches!(other.what, FaultKind::Slow { .. })
                    && other.what.slot() == fault.what.slot()
                    && other.at + other.lasts >= fault.at
            });
        if !slowed_already {
            fitting.push(fault);
        }
    }
    fitting
}
