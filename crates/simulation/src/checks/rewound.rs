//! No term goes on across a restore of etcd: its fencing token is of a history that is gone, and the next holder's may be smaller.
//!
//! Nobody can renew a Lease after a restore without having read it, by which the restore is proved. So a renewal that was sent after the
//! restore, of a term that had begun before it, is a violation. Terms that merely last until their validity is over renew nothing.
//!
//! Nor does a term begin on a write that proves the restore: one that was accepted with a version below what its sender knew of that Lease. Its
//! sender leaves the Lease alone for LeaseDuration, so another write of it within that time is a violation. This matters where the backup
//! has no such Lease, which a read cannot tell from one that was deleted.

use std::collections::HashMap;

use overlap_checker::records::{Body, Replica, Token};

use super::Check;
use super::leases::Histories;
use crate::observations::{LeaseState, Observations};
use crate::time::TrueTime;

/// Judges every renewal that was written down after a restore, and every write that proves one.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("rewound");
    renewals(observations, &mut check);
    for (lease, states) in histories.all() {
        for process in &observations.processes {
            let writes: Vec<_> =
                states.iter().copied().filter(|state| state.by.as_ref() == Some(&process.identity)).collect();
            for restore in &observations.restores {
                proofs(observations, lease, &writes, process.rate, *restore, &mut check);
            }
        }
    }
    check
}

/// The writes of one Lease by one process, before and after one restore.
fn proofs(
    observations: &Observations,
    lease: &str,
    writes: &[&LeaseState],
    rate: f64,
    restore: TrueTime,
    check: &mut Check,
) {
    let wait = observations.schedule.timings.lease_duration.div_f64(rate);
    let (before, after) = writes.split_at(writes.partition_point(|write| write.sent < restore));
    // The answer to its last write may have been lost. That it knew the one before is shown by its last, which names that state or a later one.
    let [.., known, last] = before else { return };
    let [proof, next, ..] = after else { return };
    // Later, it may have learned of the restore otherwise, and have waited.
    let proves = known.uid == last.uid && proof.version < known.version && proof.sent < restore + wait;
    if !proves {
        return;
    }
    check.judged += 1;
    if next.sent < proof.sent + wait {
        let sentence = format!(
            "{} wrote {lease} at {}, though its write sent at {} was accepted with version {}, below version {} that it knew: that proves the \
             restore of etcd at {restore}, and LeaseDuration was not over.",
            proof.by.as_ref().map_or("nobody", |by| &by.0),
            next.sent,
            proof.sent,
            proof.version,
            known.version,
        );
        check.violated(next.at, sentence);
    }
}

fn renewals(observations: &Observations, check: &mut Check) {
    let rates: HashMap<&Replica, f64> =
        observations.processes.iter().map(|process| (&process.identity, process.rate)).collect();
    let mut begun: HashMap<(&Replica, &str, Token), TrueTime> = HashMap::new();
    for record in &observations.records {
        let at = TrueTime::of(record.boot);
        match &record.body {
            Body::HoldBegin { lease, token, .. } => {
                begun.insert((&record.replica, lease, *token), at);
            }
            Body::HoldRenewed { lease, token, valid_until, .. } => {
                let rate = rates.get(&record.replica).copied().unwrap_or(1.0);
                let validity = observations.schedule.timings.renew_deadline.div_f64(rate);
                let sent = TrueTime::of(*valid_until) - validity;
                let Some(restore) = observations.restores.iter().rfind(|restore| **restore < sent) else {
                    continue;
                };
                check.judged += 1;
                if begun.get(&(&record.replica, lease.as_str(), *token)).is_some_and(|begun| begun < restore)
                {
                    check.violated(
                        at,
                        format!(
                            "{} renewed {lease} at {sent} in the term of token {}, which was given before etcd was restored at {restore}.",
                            record.replica, token.0
                        ),
                    );
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};

    /// A holds the shard from 20 s on and renews it until `to`.
    fn held(to: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).holds("a", 0, 20_000, to);
        run
    }

    #[test]
    fn a_term_that_is_renewed_after_a_restore_is_caught() {
        let mut run = held(29_000);
        run.observations.restores.push(at(25_000));
        // At 26 s and at 28 s.
        let sentences = only_of(&run, "rewound", 2);
        assert!(sentences[0].contains("a_1 renewed op-shard-0 at 26.000"), "{sentences:?}");
    }

    #[test]
    fn one_that_ends_and_begins_anew_is_not() {
        let mut run = held(24_000);
        run.holds("a", 0, 45_000, 60_000);
        run.observations.restores.push(at(25_000));
        only_of(&run, "rewound", 0);
    }

    /// A member Lease that A renews twice before the restore at 25 s, that the backup does not have, and that A makes anew at 30 s and
    /// writes again at `next`.
    fn made_anew(version: u64, next: u64) -> RunBuilder {
        const LEASE: &str = "op-member-0011aabbccdd";
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0);
        for when in [20_000, 22_000, 24_000] {
            run.wrote(LEASE, "a", when, when + 1, "a", 0);
        }
        run.observations.restores.push(at(25_000));
        run.wrote(LEASE, "a", 30_000, 30_001, "a", 0);
        let anew = run.observations.leases.last_mut().expect("told");
        (anew.version, anew.uid) = (version, "anew".to_owned());
        run.wrote(LEASE, "a", next, next + 1, "a", 0);
        run
    }

    #[test]
    fn a_term_that_begins_on_a_write_that_proves_the_restore_is_caught() {
        let sentences = only_of(&made_anew(1, 32_000), "rewound", 1);
        assert!(sentences[0].contains("wrote op-member-0011aabbccdd at 32.000"), "{sentences:?}");
        // LeaseDuration after the proof.
        only_of(&made_anew(1, 45_001), "rewound", 0);
        // A version above what was known proves nothing.
        only_of(&made_anew(1_000, 32_000), "rewound", 0);
    }
}
