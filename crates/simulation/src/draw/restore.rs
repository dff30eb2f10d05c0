//! etcd is restored from a backup under replicas that run.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::layout::occupy;
use super::ranges::{between, millis};
use crate::schedule::{Fault, FaultKind, ReplicaSpec, TimingsSpec};
use crate::time::TrueTime;

/// One schedule in so many has a restore.
const ONE_IN: u8 = 10;

/// Clocks are this much slow at most, and a little more: a restore lasts for LeaseDuration on each.
const SLOWEST: f64 = 1.02;

/// One long restore in so many is of a backup from before the first replica was started.
const HAS_NO_LEASES_ONE_IN: u8 = 3;

/// A restore; `None` in most schedules.
pub(super) fn draw(rng: &mut Rng, context: &Context, replicas: &[ReplicaSpec]) -> Option<Vec<Fault>> {
    if rng.u8(..ONE_IN) != 0 {
        return None;
    }
    if rng.bool()
        && let Some(faults) = short(rng, context, replicas)
    {
        return Some(faults);
    }
    Some(long(rng, context))
}

/// Over before terms have expired, so that they have to end because their tokens are void. That is outside of what is assumed of a restore, and
/// safe all the same where no process starts after the backup: each that is left saw who acquired what since, and waits for LeaseDuration.
fn short(rng: &mut Rng, context: &Context, replicas: &[ReplicaSpec]) -> Option<Vec<Fault>> {
    let TimingsSpec { lease_duration, renew_deadline, retry_period } = context.timings;
    // Whoever renewed just before has met with the restore while its term is valid.
    let most = renew_deadline.saturating_sub(retry_period.mul_f64(2.5));
    let lasts = between(rng, Duration::from_millis(100), most.max(Duration::from_millis(400)));
    let all_there = replicas.iter().map(|replica| replica.starts).max()? + lease_duration;
    let latest = TrueTime::after_start(context.busy_for.saturating_sub(lasts + lease_duration * 4));
    let earliest = all_there + retry_period * 2;
    if latest <= earliest {
        return None;
    }
    let at = earliest + between(rng, Duration::ZERO, latest.since(earliest));
    let lost = between(rng, retry_period * 2, lease_duration * 6);
    let backup = (at - lost).max(all_there);
    let mut faults = Vec::new();
    let busy = at - millis(rng, 300..=600);
    occupy(rng, context, busy, &mut faults);
    faults.push(Fault { at, lasts, what: FaultKind::Restore { backup } });
    faults.sort_by_key(|fault| fault.at);
    Some(faults)
}

/// It takes LeaseDuration at least, as is assumed of a restore, with a replica that is killed or stopped around it.
fn long(rng: &mut Rng, context: &Context) -> Vec<Fault> {
    let lease_duration = context.timings.lease_duration;
    let lasts = lease_duration.mul_f64(SLOWEST) + between(rng, Duration::ZERO, lease_duration);
    // Some backups are of an installation that is still coming up.
    let backup = TrueTime::START + between(rng, lease_duration, lease_duration * 2);
    // The longer the history that is lost, the longer a replica that goes by it hears nothing new.
    let latest = TrueTime::after_start(context.busy_for.saturating_sub(lasts + lease_duration * 3));
    let at = backup + between(rng, context.timings.retry_period, latest.since(backup));
    let mut faults = Vec::new();
    let busy = at - millis(rng, 300..=600);
    occupy(rng, context, busy, &mut faults);
    // Between the backup and the outage Leases change hands, and the backup brings the former holder back.
    let slot = context.slot(rng);
    let what = match rng.u8(..8) {
        0 => Some(FaultKind::Crash(slot)),
        1 => Some(FaultKind::Terminate(slot)),
        2 => Some(FaultKind::Pause(slot)),
        _ => None,
    };
    if let Some(what) = what {
        let begins = backup + between(rng, Duration::ZERO, at.since(backup) + lasts);
        faults.push(Fault {
            at: begins,
            lasts: between(rng, Duration::from_millis(300), lease_duration * 2),
            what,
        });
    }
    // Leases pass on after it too. Not always: who is started anew knows of no other history, and takes over from all who do.
    if rng.u8(..3) == 0 {
        let later = at + lasts + between(rng, Duration::ZERO, lease_duration);
        let slot = context.other_slot(rng, slot);
        let what = if rng.bool() { FaultKind::Crash(slot) } else { FaultKind::Terminate(slot) };
        faults.push(Fault { at: later, lasts: lease_duration, what });
    }
    // Reads find no Lease then, which proves nothing. What proves the restore is the first write that makes one anew.
    let has_no_leases = rng.u8(..HAS_NO_LEASES_ONE_IN) == 0;
    let backup = if has_no_leases { TrueTime::START } else { backup };
    faults.push(Fault { at, lasts, what: FaultKind::Restore { backup } });
    faults.sort_by_key(|fault| fault.at);
    faults
}

#[cfg(test)]
mod tests {
    use crate::schedule::{FaultKind, Schedule};
    use crate::time::TrueTime;

    #[test]
    fn a_restore_lasts_for_lease_duration_on_the_slowest_clock_or_no_process_starts_after_the_backup() {
        let (mut short, mut long, mut without_leases) = (0, 0, 0);
        for schedule in (1..=400).map(Schedule::draw) {
            let slowest = schedule.replicas.iter().map(|replica| replica.drift_ppm).min().unwrap_or(0);
            let least = schedule.timings.lease_duration.div_f64(1.0 + f64::from(slowest.min(0)) / 1e6);
            for fault in &schedule.faults {
                let FaultKind::Restore { backup } = fault.what else { continue };
                assert!(backup < fault.at, "seed {}: {fault:?}", schedule.seed);
                let over = fault.at.since_start() + fault.lasts;
                assert!(over < schedule.busy_for, "seed {}: {fault:?}", schedule.seed);
                if fault.lasts >= least {
                    long += 1;
                    without_leases += u32::from(backup == TrueTime::START);
                    continue;
                }
                short += 1;
                let mut starts = schedule.replicas.iter().map(|replica| replica.starts);
                assert!(starts.all(|starts| starts < backup), "seed {}: {fault:?}", schedule.seed);
                let ends = |what: &FaultKind| {
                    matches!(what, FaultKind::Crash(_) | FaultKind::Terminate(_) | FaultKind::Pause(_))
                };
                let mut others = schedule.faults.iter();
                assert!(!others.any(|fault| ends(&fault.what)), "seed {}: {fault:?}", schedule.seed);
            }
        }
        assert!(
            short > 0 && long > without_leases && without_leases > 0,
            "{short}, {long}, {without_leases}"
        );
    }
}
