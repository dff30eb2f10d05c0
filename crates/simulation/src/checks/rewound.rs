//! No term goes on across a restore of etcd: its fencing token is of a history that is gone, and the next holder's may be smaller.
//!
//! Nobody can renew a Lease after a restore without having read it, by which the restore is proved. So a renewal that was sent after the
//! restore, of a term that had begun before it, is a violation. Terms that merely last until their validity is over renew nothing.

use std::collections::HashMap;

use overlap_checker::records::{Body, Replica, Token};

use super::Check;
use crate::evidence::Evidence;
use crate::time::TrueTime;

/// Judges every renewal that was written down after a restore.
pub(super) fn check(evidence: &Evidence) -> Check {
    let mut check = Check::new("rewound");
    let rates: HashMap<&Replica, f64> =
        evidence.processes.iter().map(|process| (&process.identity, process.rate)).collect();
    let mut begun: HashMap<(&Replica, &str, Token), TrueTime> = HashMap::new();
    for record in &evidence.records {
        let at = TrueTime::of(record.boot);
        match &record.body {
            Body::HoldBegin { lease, token, .. } => {
                begun.insert((&record.replica, lease, *token), at);
            }
            Body::HoldRenewed { lease, token, valid_until, .. } => {
                let rate = rates.get(&record.replica).copied().unwrap_or(1.0);
                let validity = evidence.schedule.timings.renew_deadline.div_f64(rate);
                let sent = TrueTime::of(*valid_until) - validity;
                let Some(restore) = evidence.restores.iter().rfind(|restore| **restore < sent) else {
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
    check
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, at, only_of};

    /// A holds the shard from 20 s on and renews it until `to`.
    fn held(to: u64) -> Story {
        let mut story = Story::settled();
        story.runs("a", 0, 0).holds("a", 0, 20_000, to);
        story
    }

    #[test]
    fn a_term_that_is_renewed_after_a_restore_is_caught() {
        let mut story = held(29_000);
        story.evidence.restores.push(at(25_000));
        // At 26 s and at 28 s.
        let sentences = only_of(&story, "rewound", 2);
        assert!(sentences[0].contains("a_1 renewed op-shard-0 at 26.000"), "{sentences:?}");
    }

    #[test]
    fn one_that_ends_and_begins_anew_is_not() {
        let mut story = held(24_000);
        story.holds("a", 0, 45_000, 60_000);
        story.evidence.restores.push(at(25_000));
        only_of(&story, "rewound", 0);
    }
}
