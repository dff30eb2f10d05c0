//! Failures of the API server while reconciles write: most reconciles send nothing, so random failures hardly meet one. From a stream of its
//! own.

use fastrand::Rng;

use super::context::Context;
use super::kinds::api_failure;
use super::ranges::{between, millis, of};
use crate::schedule::{Edit, Fault, FaultKind};

/// In one schedule in three, some edits are followed by failures.
pub(super) fn draw(rng: &mut Rng, context: &Context, edits: &[Edit], faults: &mut Vec<Fault>) {
    if rng.u8(..3) != 0 {
        return;
    }
    for _ in 0..rng.u8(2..=5) {
        let Some(edit) = rng.choice(edits) else { return };
        // What was edited is shown to a replica, and its reconcile begins.
        let at = edit.at + millis(rng, 0..=200);
        let left = context.busy_for.saturating_sub(at.since_start());
        if left.is_zero() {
            continue;
        }
        let lasts = between(rng, context.timings.retry_period, context.timings.renew_deadline).min(left);
        let percent = of(rng, &[(2, 30), (2, 60), (1, 100)]);
        let what = FaultKind::Api { failure: api_failure(rng), percent };
        faults.push(Fault { at, lasts, what });
    }
    faults.sort_by_key(|fault| fault.at);
}
