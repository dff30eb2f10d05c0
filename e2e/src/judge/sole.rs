//! Processes with leader election off. They hold no Lease, so their records name no validity and no token, and the checker's
//! rules about holds do not apply. What applies is stricter: such a process is alone.

use std::collections::{BTreeMap, BTreeSet};

use overlap_checker::records::{Body, BootTime, RecordLog, Replica, Token};

/// The records of elected processes, and the names of the others.
pub(super) fn parted(records: &RecordLog) -> (RecordLog, BTreeSet<Replica>) {
    let alone: BTreeSet<Replica> = records
        .records
        .iter()
        .filter(|record| matches!(record.body, Body::HoldBegin { token: Token(0), sent: None, .. }))
        .map(|record| record.replica.clone())
        .collect();
    let elected = records.records.iter().filter(|record| !alone.contains(&record.replica)).cloned().collect();
    (RecordLog { records: elected, tally: records.tally.clone() }, alone)
}

/// No reconcile of any other process falls into the time from the first reconcile of such a process to its last.
pub(super) fn failures(records: &RecordLog, alone: &BTreeSet<Replica>) -> Vec<String> {
    let mut working: BTreeMap<&Replica, (BootTime, BootTime)> = BTreeMap::new();
    for record in &records.records {
        if matches!(record.body, Body::Begin { .. } | Body::End { .. } | Body::Aborted { .. }) {
            let (from, to) = working.entry(&record.replica).or_insert((record.boot, record.boot));
            (*from, *to) = ((*from).min(record.boot), (*to).max(record.boot));
        }
    }
    let mut failures = Vec::new();
    for one in alone {
        let Some((from, to)) = working.get(one) else { continue };
        let others = records.records.iter().filter(|record| {
            record.replica != *one
                && matches!(record.body, Body::Begin { .. } | Body::End { .. })
                && (*from..*to).contains(&record.boot)
        });
        let others: BTreeSet<_> = others.map(|record| record.replica.to_string()).collect();
        if !others.is_empty() {
            let others: Vec<_> = others.into_iter().collect();
            failures.push(format!(
                "{} reconciled while {one} did so without leader election.",
                others.join(", ")
            ));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[(&str, u64, &str)]) -> RecordLog {
        let mut log = RecordLog::default();
        for (replica, at, rest) in lines {
            let head = format!(
                r#""replica":"{replica}","wall":"2026-01-01T00:00:00Z","boot_ns":{at},"boot_id":"b""#
            );
            log.read_str("test", &format!("{{{head},{rest}}}"));
        }
        assert!(log.tally.malformed.is_empty(), "{:?}", log.tally);
        log
    }

    const HOLD: &str = r#""record":"hold-begin","lease":"none","shard":0,"token":0"#;
    const BEGIN: &str = r#""record":"begin","cr":"a/b","uid":"u","shard":0,"token":0,"reconcile":1"#;
    const END: &str = r#""record":"end","cr":"a/b","reconcile":1,"outcome":"ok""#;

    #[test]
    fn whoever_works_beside_one_that_is_alone_is_named() {
        let log =
            log(&[("sole_1", 1, HOLD), ("sole_1", 2, BEGIN), ("other_1", 5, BEGIN), ("sole_1", 9, END)]);
        let (elected, alone) = parted(&log);
        assert_eq!((elected.records.len(), alone.len()), (1, 1));
        assert_eq!(
            failures(&log, &alone),
            ["other_1 reconciled while sole_1 did so without leader election."]
        );
    }

    #[test]
    fn one_after_the_other_is_fine() {
        let log =
            log(&[("other_1", 1, BEGIN), ("sole_1", 2, HOLD), ("sole_1", 3, BEGIN), ("sole_1", 9, END)]);
        assert!(failures(&log, &parted(&log).1).is_empty());
    }
}
