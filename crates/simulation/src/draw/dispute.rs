//! Two writers of one field. From a stream of its own, so that schedules without them stay as they are.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::between;
use crate::schedule::{Fault, FaultKind};
use crate::time::TrueTime;

/// One schedule in so many has them.
const ONE_IN: u8 = 5;

/// Long enough for several pauses of the operator's, which double from a second.
const LEAST: Duration = Duration::from_secs(60);

/// Some resources whose Services others write as well.
pub(super) fn draw(rng: &mut Rng, context: &Context) -> Vec<Fault> {
    if rng.u8(..ONE_IN) != 0 {
        return Vec::new();
    }
    let disputes = 0..rng.u8(1..=3);
    let drawn = disputes.map(|_| {
        let lasts = between(rng, LEAST, LEAST * 3);
        let at = TrueTime::after_start(between(rng, Duration::ZERO, context.busy_for.saturating_sub(lasts)));
        Fault { at, lasts, what: FaultKind::Dispute { resource: context.resource(rng) } }
    });
    drawn.collect()
}
