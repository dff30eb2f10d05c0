//! Who else writes children. From a stream of its own, and added to what is drawn elsewhere.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, of};
use crate::schedule::{ChildChange, Fault, FaultKind};
use crate::time::TrueTime;

/// Stretches during which some looks at children and some writes of them are met by somebody's change.
pub(super) fn draw(rng: &mut Rng, context: &Context, faults: &mut Vec<Fault>) {
    for _ in 0..rng.u8(2..=6) {
        let at = between(rng, Duration::ZERO, context.busy_for);
        let change =
            of(rng, &[(1, ChildChange::Edited), (1, ChildChange::Remade), (1, ChildChange::Foreign)]);
        let percent = of(rng, &[(2, 5), (3, 20), (1, 60)]);
        let lasts = context.span(rng).min(context.busy_for.saturating_sub(at));
        let what = FaultKind::Children { change, percent };
        faults.push(Fault { at: TrueTime::after_start(at), lasts, what });
    }
    faults.sort_by_key(|fault| fault.at);
}
