//! Resources of a kind that is not sharded, and what is done to them. They have a random stream of their own, so that everything else of a schedule
//! stays as it is.

use std::time::Duration;

use fastrand::Rng;

use super::context::Context;
use super::ranges::{between, millis, of};
use crate::schedule::{Edit, EditKind, ProfileEdit, ResourceIndex};
use crate::time::TrueTime;

/// One schedule in so many has no such kind.
const NONE_IN: u8 = 4;

/// How many there are from the start; adds the edits.
pub(super) fn draw(rng: &mut Rng, context: &Context, edits: &mut Vec<Edit>) -> usize {
    if rng.u8(..NONE_IN) == 0 {
        return 0;
    }
    let profiles = rng.usize(1..=3);
    for _ in 0..rng.u64(1..=3) * (context.busy_for.as_secs() / 60) {
        let at = TrueTime::after_start(between(rng, Duration::ZERO, context.busy_for));
        // One more than there are at the start is created later.
        let resource = ResourceIndex(rng.usize(..=profiles));
        let mut edit = |at, what| edits.push(Edit { at, resource, what: EditKind::Profile(what) });
        let write = ProfileEdit::Write(rng.i32(2..=1_000));
        match of(rng, &[(6, "write"), (1, "delete"), (1, "replace")]) {
            "write" => edit(at, write),
            "delete" => edit(at, ProfileEdit::Delete),
            // Its last owner may still be at work on the one before.
            _ => {
                edit(at, ProfileEdit::Delete);
                edit(at + millis(rng, 10..=3_000), write);
            }
        }
    }
    edits.retain(|edit| edit.at.since_start() < context.busy_for);
    edits.sort_by_key(|edit| edit.at);
    profiles
}
