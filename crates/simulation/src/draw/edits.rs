//! What users do meanwhile.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, millis, of};
use crate::schedule::{Edit, EditKind, ResourceIndex};
use crate::time::TrueTime;

#[derive(Clone, Copy)]
enum EditDraw {
    Create,
    Scale,
    Memory,
    MoveTenant,
    Delete,
    Replace,
    MoveByReplacing,
}

pub(super) fn draw(rng: &mut Rng, context: &Context) -> Vec<Edit> {
    let minutes = context.busy_for.as_secs() / 60;
    let most = of(rng, &[(2, 4), (3, 12), (1, 25)]);
    let count = rng.u64(2..=most) * minutes;
    let mut edits = Vec::new();
    for _ in 0..count {
        let at = TrueTime::after_start(between(rng, Duration::ZERO, context.busy_for));
        // A third more than there are at the start: some are created later.
        let resource = ResourceIndex(rng.usize(..context.resources + context.resources.div_ceil(3)));
        let mut edit = |at, what| edits.push(Edit { at, resource, what });
        match deed(rng, context.key_label) {
            EditDraw::Create => edit(at, EditKind::Create),
            EditDraw::Scale => edit(at, EditKind::Scale(rng.i32(1..=5))),
            EditDraw::Memory => edit(at, EditKind::Memory(16 * rng.i32(4..=16))),
            EditDraw::MoveTenant => edit(at, EditKind::MoveTenant(rng.u8(..8))),
            EditDraw::Delete => edit(at, EditKind::Delete),
            // The same name soon after, as `kubectl replace --force` does: its old owner may still be at work on the one before.
            EditDraw::Replace => {
                edit(at, EditKind::Delete);
                edit(at + millis(rng, 10..=3_000), EditKind::Create);
            }
            // The same name under another shard key: its bucket is another, and so may be its owner, while the owner of the one
            // before is in the middle of a reconcile. Refused as long as the finalizer keeps the name taken, so tried twice.
            EditDraw::MoveByReplacing => {
                edit(at, EditKind::Scale(rng.i32(1..=5)));
                let deleted = at + millis(rng, 50..=500);
                edit(deleted, EditKind::Delete);
                let tenant = rng.u8(..8);
                let created = deleted + millis(rng, 10..=1_000);
                edit(created, EditKind::CreateFor(tenant));
                edit(created + millis(rng, 1_000..=20_000), EditKind::CreateFor(tenant));
            }
        }
    }
    edits.retain(|edit| edit.at.since_start() < context.busy_for);
    edits.sort_by_key(|edit| edit.at);
    edits
}

fn deed(rng: &mut Rng, key_label: bool) -> EditDraw {
    of(
        rng,
        &[
            (3, EditDraw::Create),
            (5, EditDraw::Scale),
            (3, EditDraw::Memory),
            (if key_label { 2 } else { 0 }, EditDraw::MoveTenant),
            (1, EditDraw::Delete),
            (2, EditDraw::Replace),
            (if key_label { 2 } else { 0 }, EditDraw::MoveByReplacing),
        ],
    )
}
