//! A tenant who tries to free the name of his resource too early: only with a key label is there a finalizer to strip.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, millis};
use crate::schedule::{Edit, EditKind, Fault, FaultKind};
use crate::time::TrueTime;

/// Each attempt is preceded by an edit, so that the owner is in the middle of a reconcile.
pub(super) fn draw(rng: &mut Rng, context: &Context, faults: &mut Vec<Fault>, edits: &mut Vec<Edit>) {
    if !context.key_label {
        return;
    }
    let minutes = context.busy_for.as_secs() / 60;
    for _ in 0..rng.u64(1..=4) * minutes {
        let at = between(rng, Duration::ZERO, context.busy_for);
        let resource = context.resource(rng);
        let scaled = EditKind::Scale(rng.i32(1..=5));
        edits.push(Edit { at: TrueTime::after_start(at), resource, what: scaled });
        let stripped = at + millis(rng, 50..=500);
        if stripped < context.busy_for {
            let what = FaultKind::StripFinalizer { resource, tenant: rng.u8(..8) };
            faults.push(Fault { at: TrueTime::after_start(stripped), lasts: Duration::ZERO, what });
        }
    }
    faults.sort_by_key(|fault| fault.at);
    edits.sort_by_key(|edit| edit.at);
}
