//! Every reconcile begins under a valid hold of the shard that it names.

use super::clock::short;
use super::timeline::{Hold, Reconcile, Timeline};
use super::verdict::{Check, Violation};

const NAME: &str = "begun-in-hold";

/// A reconcile that begins after the end of its hold's validity has an empty interval and overlaps with nothing, so
/// no other check would notice it.
pub(super) fn check(timeline: &Timeline) -> Check {
    let mut check = Check::new(NAME, "reconciles");
    check.examined = timeline.reconciles.len() as u64;
    check.violations =
        timeline.reconciles.iter().filter_map(|reconcile| judge(timeline, reconcile)).collect();
    check
}

fn judge(timeline: &Timeline, reconcile: &Reconcile) -> Option<Violation> {
    let Reconcile { replica, cr, shard, token, begun, .. } = reconcile;
    let at = timeline.clock.show(*begun);
    let (sentence, first, by) = match reconcile.hold.map(|index| &timeline.holds[index]) {
        None => {
            let sentence = format!(
                "{replica} began a reconcile of {cr} at {at} under token {token} of {}, a hold that it never recorded.",
                shard.described()
            );
            (sentence, None, std::time::Duration::ZERO)
        }
        Some(hold) if is_outside(reconcile, hold) => {
            let by = short(begun.since(hold.valid.to).max(hold.valid.from.since(*begun)));
            let sentence = format!(
                "{replica} began a reconcile of {cr} at {at}, {by:?} outside of its hold of {} (token {token}, valid {}).",
                shard.described(),
                timeline.clock.show_interval(hold.valid)
            );
            (sentence, Some(hold.valid), by)
        }
        Some(_) => return None,
    };
    Some(Violation {
        sentence,
        cr: Some(cr.clone()),
        shard: Some(*shard),
        replicas: vec![replica.clone()],
        first,
        second: Some(reconcile.ran),
        by,
    })
}

/// In the very instant in which a hold was ended, before it would have lapsed, the order of the records decides: the
/// holder did not know of the end yet.
fn is_outside(reconcile: &Reconcile, hold: &Hold) -> bool {
    let begun = reconcile.begun;
    let ended = if reconcile.after_end { begun >= hold.valid.to } else { begun > hold.valid.to };
    begun < hold.valid.from || begun >= hold.lapses || ended
}
