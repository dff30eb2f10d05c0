//! What users do meanwhile.

use std::time::Duration;

use fastrand::Rng;

use super::dice::{between, millis, of};
use super::ground::Ground;
use crate::schedule::{Edit, EditKind, ResourceIndex};
use crate::time::TrueTime;

#[derive(Clone, Copy)]
enum Deed {
    Create,
    Scale,
    Memory,
    MoveTenant,
    Delete,
    Replace,
    MoveByReplacing,
}

pub(super) fn draw(rng: &mut Rng, ground: &Ground) -> Vec<Edit> {
    let minutes = ground.busy_for.as_secs() / 60;
    let most = of(rng, &[(2, 4), (3, 12), (1, 25)]);
    let count = rng.u64(2..=most) * minutes;
    let mut edits = Vec::new();
    for _ in 0..count {
        let at = TrueTime::after_start(between(rng, Duration::ZERO, ground.busy_for));
        // A third more than there are at the start: some are created later.
        let resource = ResourceIndex(rng.usize(..ground.resources + ground.resources.div_ceil(3)));
        let mut edit = |at, what| edits.push(Edit { at, resource, what });
        match deed(rng, ground.key_label) {
            Deed::Create => edit(at, EditKind::Create),
            Deed::Scale => edit(at, EditKind::Scale(rng.i32(1..=5))),
            Deed::Memory => edit(at, EditKind::Memory(16 * rng.i32(4..=16))),
            Deed::MoveTenant => edit(at, EditKind::MoveTenant(rng.u8(..8))),
            Deed::Delete => edit(at, EditKind::Delete),
            // The same name soon after, as `kubectl replace --force` does: its old owner may still be at work on the one before.
            Deed::Replace => {
                edit(at, EditKind::Delete);
                edit(at + millis(rng, 10..=3_000), EditKind::Create);
            }
            // The same name under another shard key: its bucket is another, and so may be its owner, while the owner of the one
            // before is in the middle of a reconcile. Refused as long as the finalizer keeps the name taken, so tried twice.
            Deed::MoveByReplacing => {
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
    edits.retain(|edit| edit.at.since_start() < ground.busy_for);
    edits.sort_by_key(|edit| edit.at);
    edits
}

fn deed(rng: &mut Rng, key_label: bool) -> Deed {
    of(
        rng,
        &[
            (3, Deed::Create),
            (5, Deed::Scale),
            (3, Deed::Memory),
            (if key_label { 2 } else { 0 }, Deed::MoveTenant),
            (1, Deed::Delete),
            (2, Deed::Replace),
            (if key_label { 2 } else { 0 }, Deed::MoveByReplacing),
        ],
    )
}
