//! What a fault of some kind does in detail, drawn: in which direction, how slowly, how the API server fails.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, of};
use crate::schedule::{ApiFailure, Direction, FaultKind, LeaseChange, Listed, Oddity, Slot};

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

pub(super) fn api_failure(rng: &mut Rng) -> ApiFailure {
    of(
        rng,
        &[
            (2, ApiFailure::Conflict),
            (2, ApiFailure::TooManyRequests),
            (2, ApiFailure::InternalError),
            (2, ApiFailure::TimeoutBefore),
            (3, ApiFailure::TimeoutAfter),
        ],
    )
}

pub(super) fn listed(rng: &mut Rng) -> Listed {
    of(rng, &[(3, Listed::Resources), (1, Listed::Children), (1, Listed::Leases)])
}

pub(super) fn oddity(rng: &mut Rng) -> Oddity {
    of(rng, &[(2, Oddity::BucketLabel), (1, Oddity::Spec), (1, Oddity::Finalizer), (1, Oddity::Bulk)])
}

pub(super) fn lease_change(rng: &mut Rng) -> LeaseChange {
    of(rng, &[(2, LeaseChange::Delete), (2, LeaseChange::BlankHolder), (1, LeaseChange::Label)])
}
