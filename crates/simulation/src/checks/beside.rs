//! No write of a reconcile lands while another replica reconciles a resource of the same name.
//!
//! `overlap` compares reconciles from begin to end, and `writes` asks only that the hold is valid under which a write was begun. So
//! neither sees a write that its sender had given up on, of a reconcile that has ended meanwhile, if it lands under the same hold:
//! by then the resource may have been deleted and created anew under another key, and belong to another shard. Here the instant of
//! landing counts, whatever the holds.

use std::collections::HashMap;

use overlap_checker::records::CrKey;
use overlap_checker::{Moment, Reconcile, Timeline};

use super::sending::written;
use super::{Check, short};
use crate::observations::Observations;

/// Judges every write of a reconcile that landed.
pub(super) fn check(observations: &Observations, timeline: &Timeline) -> Check {
    let mut check = Check::new("beside");
    let mut reconciles: HashMap<&CrKey, Vec<&Reconcile>> = HashMap::new();
    for reconcile in &timeline.reconciles {
        reconciles.entry(&reconcile.cr).or_default().push(reconcile);
    }
    for request in observations.requests.iter().filter(|request| request.landed) {
        let Some((replica, cr)) = written(request) else { continue };
        let Some(all) = reconciles.get(&cr) else { continue };
        check.judged += 1;
        let at = Moment(i64::try_from(request.arrived.nanos()).unwrap_or(i64::MAX));
        let begun = all.partition_point(|reconcile| reconcile.begun < at);
        // One that lost its hold before this instant is no longer under way, whenever it was joined.
        let under_way = |reconcile: &&&Reconcile| reconcile.replica != *replica && reconcile.ran.to > at;
        if let Some(other) = all[..begun].iter().rev().find(under_way) {
            check.violated(
                request.arrived,
                format!(
                    "a {} of {} by {replica}, sent {:?} before, landed at {} while {} was in the middle of a reconcile of {cr:?}, \
                     begun {:?} before.",
                    request.method,
                    request.uri,
                    short(request.arrived.since(request.sent)),
                    request.arrived,
                    other.replica,
                    short(at.since(other.begun)),
                ),
            );
        }
    }
    check
}

#[cfg(test)]
mod tests {
    use super::super::reconciles::timeline;
    use super::super::run_builder::RunBuilder;

    const SERVICE: &str = "/api/v1/namespaces/default/services/m-0?fieldManager=x";

    /// A reconciles `m-0` under shard 0 and goes on holding it; later B does, under shard 1, as its key is another.
    fn moved() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.ends(75_000)
            .runs("a", 0, 0)
            .runs("b", 1, 0)
            .holds("a", 0, 20_000, 60_000)
            .holds("b", 1, 32_500, 60_000);
        run.reconciled("a", 0, "m-0", 30_000, 31_000).reconciled("b", 1, "m-0", 33_000, 34_000);
        run
    }

    #[test]
    fn a_write_that_lands_late_within_its_own_hold_lands_beside_the_new_owner() {
        for (when, count) in [(30_500, 0), (32_000, 0), (33_500, 1), (34_500, 0)] {
            let mut run = moved();
            run.request("a", "PATCH", SERVICE, when, 200);
            let timeline = timeline(&run.observations);
            let found = super::check(&run.observations, &timeline);
            assert_eq!((found.judged, found.violations.len()), (1, count), "{found:?}");
        }
    }
}
