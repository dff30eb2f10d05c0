//! etcd is restored from a backup under replicas that run.

use std::time::Duration;

use fastrand::Rng;

use super::dice::{between, millis};
use super::ground::Ground;
use super::layout::occupy;
use crate::schedule::{Fault, FaultKind};
use crate::time::TrueTime;

/// One schedule in so many has a restore.
const ONE_IN: u8 = 10;

/// Clocks are this much slow at most, and a little more: a restore lasts for LeaseDuration on each.
const SLOWEST: f64 = 1.02;

/// A restore, with a replica that is killed or stopped around it; `None` in most schedules.
pub(super) fn draw(rng: &mut Rng, ground: &Ground) -> Option<Vec<Fault>> {
    if rng.u8(..ONE_IN) != 0 {
        return None;
    }
    let lease_duration = ground.timings.lease_duration;
    let lasts = lease_duration.mul_f64(SLOWEST) + between(rng, Duration::ZERO, lease_duration);
    // Some backups are of an installation that is still coming up.
    let backup = TrueTime::START + between(rng, lease_duration, lease_duration * 2);
    // The longer the history that is lost, the longer a replica that goes by it hears nothing new.
    let latest = TrueTime::after_start(ground.busy_for.saturating_sub(lasts + lease_duration * 3));
    let at = backup + between(rng, ground.timings.retry_period, latest.since(backup));
    let mut faults = Vec::new();
    let busy = at - millis(rng, 300..=600);
    occupy(rng, ground, busy, &mut faults);
    // Between the backup and the outage Leases change hands, and the backup brings the former holder back.
    let seat = ground.seat(rng);
    let what = match rng.u8(..8) {
        0 => Some(FaultKind::Crash(seat)),
        1 => Some(FaultKind::Terminate(seat)),
        2 => Some(FaultKind::Pause(seat)),
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
    faults.push(Fault { at, lasts, what: FaultKind::Restore { backup } });
    // Leases pass on after it too. Not always: who is started anew knows of no other history, and takes over from all who do.
    if rng.u8(..3) == 0 {
        let later = at + lasts + between(rng, Duration::ZERO, lease_duration);
        let seat = ground.other_seat(rng, seat);
        let what = if rng.bool() { FaultKind::Crash(seat) } else { FaultKind::Terminate(seat) };
        faults.push(Fault { at: later, lasts: lease_duration, what });
    }
    faults.sort_by_key(|fault| fault.at);
    Some(faults)
}

#[cfg(test)]
mod tests {
    use crate::schedule::{FaultKind, Schedule};

    #[test]
    fn a_restore_lasts_for_lease_duration_on_the_slowest_clock_and_is_of_an_earlier_time() {
        let mut restores = 0;
        for schedule in (1..=200).map(Schedule::draw) {
            let slowest = schedule.replicas.iter().map(|replica| replica.drift_ppm).min().unwrap_or(0);
            let least = schedule.timings.lease_duration.div_f64(1.0 + f64::from(slowest.min(0)) / 1e6);
            for fault in &schedule.faults {
                let FaultKind::Restore { backup } = fault.what else { continue };
                restores += 1;
                assert!(fault.lasts >= least, "seed {}: {fault:?}, and {least:?} is needed", schedule.seed);
                assert!(backup < fault.at, "seed {}: {fault:?}", schedule.seed);
                let over = fault.at.since_start() + fault.lasts;
                assert!(over < schedule.busy_for, "seed {}: {fault:?}", schedule.seed);
            }
        }
        assert!(restores > 0);
    }
}
