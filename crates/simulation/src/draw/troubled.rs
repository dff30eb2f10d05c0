//! Trouble at the API server while reconciles write: most reconciles send nothing, so trouble at random hardly meets one. From a stream of its
//! own.

use fastrand::Rng;

use super::dice::{between, millis, of};
use super::ground::Ground;
use super::kinds::trouble;
use crate::schedule::{Edit, Fault, FaultKind};

/// In one schedule in three, some edits are followed by trouble.
pub(super) fn draw(rng: &mut Rng, ground: &Ground, edits: &[Edit], faults: &mut Vec<Fault>) {
    if rng.u8(..3) != 0 {
        return;
    }
    for _ in 0..rng.u8(2..=5) {
        let Some(edit) = rng.choice(edits) else { return };
        // What was edited is shown to a replica, and its reconcile begins.
        let at = edit.at + millis(rng, 0..=200);
        let left = ground.busy_for.saturating_sub(at.since_start());
        if left.is_zero() {
            continue;
        }
        let lasts = between(rng, ground.timings.retry_period, ground.timings.renew_deadline).min(left);
        let percent = of(rng, &[(2, 30), (2, 60), (1, 100)]);
        let what = FaultKind::Api { trouble: trouble(rng), percent };
        faults.push(Fault { at, lasts, what });
    }
    faults.sort_by_key(|fault| fault.at);
}
