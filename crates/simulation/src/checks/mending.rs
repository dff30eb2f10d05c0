//! Who disputes a child with somebody else writes it more and more seldom.
//!
//! A process may write a child at once, after a second, after two more, and so on (`memcached-operator`, `reconcile/mending.rs`). So in a time
//! `t` it writes it no more often than `2 + log2(1 + t)` times; once more for each edit of the resource, since what is newly asked for does not
//! wait. Judged are Services while [`FaultKind::Dispute`] is on: nobody writes these otherwise, as nothing that users edit shows in them.

use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::Replica;

use super::Check;
use super::span::Span;
use crate::observations::{Observations, ObservedFault};
use crate::schedule::{FaultKind, ResourceIndex};
use crate::time::TrueTime;

/// Judges each dispute, for each process that took part.
pub(super) fn check(observations: &Observations) -> Check {
    let mut check = Check::new("mending");
    for fault in &observations.faults {
        let FaultKind::Dispute { resource } = fault.fault.what else { continue };
        let during = Span::new(fault.from, fault.to);
        for ((process, uid), writes) in writes(observations, resource, during) {
            check.judged += 1;
            let rate = observations.processes.iter().find(|other| other.identity == *process);
            let rate = rate.map_or(1.0, |process| process.rate);
            let allowed = allowed(during.length().mul_f64(rate)) + edits(observations, resource, fault);
            if writes.len() > allowed {
                check.violated(
                    writes[allowed],
                    format!(
                        "{process} wrote the Service of cache-{} (uid {uid}) {} times from {} to {}, while somebody else wrote it, and not {allowed} times at most.",
                        resource.0,
                        writes.len(),
                        during.from,
                        during.to
                    ),
                );
            }
        }
    }
    check
}

/// The writes that changed something, by process and by uid of the child.
fn writes(
    observations: &Observations,
    resource: ResourceIndex,
    during: Span,
) -> BTreeMap<(&Replica, &str), Vec<TrueTime>> {
    let child = format!("services/cache-{}", resource.0);
    let mut writes: BTreeMap<_, Vec<TrueTime>> = BTreeMap::new();
    for access in observations.children.iter().filter(|access| access.write && access.child == child) {
        let (Some(before), Some(after)) = (&access.before, &access.after) else { continue };
        if before.uid == after.uid
            && before.version != after.version
            && (during.from..during.to).contains(&access.arrived)
        {
            writes.entry((&access.by, after.uid.as_str())).or_default().push(access.arrived);
        }
    }
    writes
}

fn allowed(time: Duration) -> usize {
    2 + usize::try_from((1 + time.as_secs()).ilog2()).unwrap_or(usize::MAX - 2)
}

fn edits(observations: &Observations, resource: ResourceIndex, fault: &ObservedFault) -> usize {
    let edits = observations.schedule.edits.iter();
    edits.filter(|edit| edit.resource == resource && (fault.from..fault.to).contains(&edit.at)).count()
}

#[cfg(test)]
mod tests {
    use overlap_checker::records::Replica;

    use super::super::run_builder::{RunBuilder, at, only_of};
    use crate::observations::{ChildAccess, ChildState};
    use crate::schedule::{FaultKind, ResourceIndex};

    /// A writes the Service at these seconds, and somebody else in between.
    fn disputed(seconds: &[u64]) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0);
        run.fault(FaultKind::Dispute { resource: ResourceIndex(3) }, 20_000, 80_000);
        for second in seconds {
            let state = |version: u64| {
                Some(ChildState { uid: "u".into(), version: version.to_string(), foreign: false })
            };
            let arrived = at(second * 1_000);
            run.observations.children.push(ChildAccess {
                by: Replica("a_1".to_owned()),
                sent: arrived,
                arrived,
                known: Some(arrived),
                child: "services/cache-3".to_owned(),
                write: true,
                before: state(2 * second),
                after: state(2 * second + 1),
            });
        }
        run
    }

    #[test]
    fn who_writes_it_more_and_more_seldom_passes() {
        only_of(&disputed(&[20, 21, 23, 27, 35, 51]), "mending", 0);
    }

    #[test]
    fn who_writes_it_each_time_is_caught() {
        let sentences = only_of(&disputed(&[20, 22, 24, 26, 28, 30, 32, 34, 36, 38]), "mending", 1);
        assert!(sentences[0].contains("a_1 wrote the Service of cache-3 (uid u) 10 times"), "{sentences:?}");
    }
}
