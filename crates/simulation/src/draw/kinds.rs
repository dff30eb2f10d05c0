//! What a fault of some kind does in detail, drawn: in which direction, how slowly, how the API server fails.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, of};
use crate::schedule::{ApiTrouble, Direction, FaultKind, HandOnLease, Listed, Oddity, Slot};

pub(super) fn direction(rng: &mut Rng) -> Direction {
    of(rng, &[(1, Direction::Both), (1, Direction::ToServer), (1, Direction::FromServer)])
}

/// Requests within what is assumed of a network; answers as late as they like.
pub(super) fn slow(rng: &mut Rng, context: &Context, slot: Slot) -> FaultKind {
    let requests = between(rng, Duration::ZERO, context.held_up);
    // One time in four all that is allowed: it is there that a promise with too little margin breaks.
    let requests = if rng.u8(..4) == 0 { context.held_up } else { requests };
    FaultKind::Slow { slot, requests, answers: context.span(rng) }
}

pub(super) fn trouble(rng: &mut Rng) -> ApiTrouble {
    of(
        rng,
        &[
            (2, ApiTrouble::Conflict),
            (2, ApiTrouble::TooManyRequests),
            (2, ApiTrouble::InternalError),
            (2, ApiTrouble::TimeoutBefore),
            (3, ApiTrouble::TimeoutAfter),
        ],
    )
}

pub(super) fn listed(rng: &mut Rng) -> Listed {
    of(rng, &[(3, Listed::Resources), (1, Listed::Children), (1, Listed::Leases)])
}

pub(super) fn oddity(rng: &mut Rng) -> Oddity {
    of(rng, &[(2, Oddity::BucketLabel), (1, Oddity::Spec), (1, Oddity::Finalizer), (1, Oddity::Bulk)])
}

pub(super) fn hand(rng: &mut Rng) -> HandOnLease {
    of(rng, &[(2, HandOnLease::Delete), (2, HandOnLease::BlankHolder), (1, HandOnLease::Label)])
}
