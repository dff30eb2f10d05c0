use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::Body;
use overlap_checker::records::{
    BootId, BootTime, CrKey, Outcome, ReconcileId, Record, Replica, Shard, Token, Uid,
};

use super::*;
use crate::observations::{Exit, LeaseSpec, LeaseState, ObservedFault, Process};
use crate::schedule::{Fault, FaultKind, Schedule, Slot};
use crate::time::TrueTime;

const LEASE: &str = "memcached.cache.example.com-shard-1";

fn at(millis: u64) -> TrueTime {
    TrueTime::after_start(Duration::from_millis(millis))
}

fn replica(slot: usize) -> Replica {
    Replica(format!("memcached-operator-{slot}_abc"))
}

fn record(slot: usize, millis: u64, body: Body) -> Record {
    Record {
        replica: replica(slot),
        wall: jiff::Timestamp::UNIX_EPOCH,
        boot: BootTime(millis * 1_000_000),
        boot_id: BootId("true time".into()),
        body,
    }
}

fn cr(name: &str) -> CrKey {
    CrKey::new("default", name)
}

fn begin(name: &str, shard: u32, reconcile: u64) -> Body {
    Body::Begin {
        cr: cr(name),
        uid: Uid(format!("uid of {name}")),
        generation: None,
        bucket: None,
        shard: Shard(shard),
        token: Token(7),
        reconcile: ReconcileId(reconcile),
    }
}

fn end(name: &str, reconcile: u64) -> Body {
    Body::End { cr: cr(name), reconcile: ReconcileId(reconcile), outcome: Outcome::Ok }
}

fn hold(shard: u32, until: u64) -> Body {
    Body::HoldBegin {
        lease: format!("memcached.cache.example.com-shard-{shard}"),
        shard: Some(Shard(shard)),
        token: Token(7),
        sent: None,
        valid_until: Some(BootTime(until * 1_000_000)),
    }
}

/// Two replicas at work on one resource: one was paused.
fn observations() -> Observations {
    let process = |slot, ended| Process {
        slot: Slot(slot),
        identity: replica(slot),
        shards: 1,
        ended_before: Vec::new(),
        started: at(0),
        ended,
        rate: 1.0,
    };
    let pause = FaultKind::Pause(Slot(0));
    let lasts = Duration::from_secs(4);
    Observations {
        schedule: Schedule { replicas: Schedule::draw(1).replicas[..2].to_vec(), ..Schedule::draw(1) },
        processes: vec![process(0, None), process(1, Some((at(62_000), Exit::Killed)))],
        records: vec![
            record(0, 50_000, hold(1, 53_000)),
            record(0, 50_100, hold(2, 53_000)),
            record(0, 57_000, begin("web", 1, 3)),
            record(1, 57_500, hold(1, 61_000)),
            record(1, 58_000, begin("web", 1, 1)),
            record(1, 58_100, begin("web-2", 1, 2)),
            record(1, 59_000, end("web", 1)),
            record(0, 1_000, begin("web", 1, 1)),
        ],
        requests: Vec::new(),
        children: Vec::new(),
        leases: vec![LeaseState {
            name: LEASE.into(),
            at: at(57_400),
            sent: at(57_000),
            by: Some(replica(1)),
            uid: "lease".into(),
            version: 90,
            spec: Some(LeaseSpec { holder: replica(1).0, ..LeaseSpec::default() }),
            restored: false,
            annotations: BTreeMap::new(),
        }],
        faults: vec![ObservedFault {
            fault: Fault { at: at(52_000), lasts, what: pause },
            from: at(52_000),
            to: at(56_000),
            process: Some(replica(0)),
            reconciles_hit: 1,
            lease_writes_hit: 0,
            messages: 0,
            watches_hit: 0,
            first_lists_hit: 0,
        }],
        restores: Vec::new(),
        quiet_from: at(60_000),
        converged: None,
        missing: Vec::new(),
        ended: at(90_000),
        desired: BTreeMap::new(),
        profiles: BTreeMap::new(),
        objects: BTreeMap::new(),
        panics: Vec::new(),
    }
}

fn overlap() -> Violation {
    let sentence = "default/web was reconciled by two replicas at once, under shard 1.".to_owned();
    Violation { checker: "overlap".into(), sentence, at: Some("58.000".into()) }
}

/// The row of an instant, cells by column.
fn row(shown: &str, time: &str) -> Vec<String> {
    let line = shown.lines().find(|line| line.contains(&format!(" {time} "))).unwrap_or_default();
    line.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn the_two_that_overlapped_stand_side_by_side() {
    let shown = timeline(&observations(), Some(&overlap()));
    println!("{shown}");
    assert!(row(&shown, "57.000")[1].contains("reconcile 3 of web begins"), "{shown}");
    assert!(row(&shown, "58.000")[2].contains("reconcile 1 of web begins"), "{shown}");
    assert!(row(&shown, "58.000")[3].contains("overlap"), "{shown}");
    assert!(row(&shown, "57.500")[2].contains("HOLDS shard 1"), "{shown}");
    assert!(row(&shown, "52.000")[1].contains("pause, for 4.0s"), "{shown}");
    assert!(shown.contains("sent 57.000"), "{shown}");
}

#[test]
fn what_is_about_others_is_left_out() {
    let shown = timeline(&observations(), Some(&overlap()));
    for other in ["web-2", "shard 2", "1.000 ", "90.000"] {
        let found = shown.lines().any(|line| line.contains(&format!(" {other}")));
        assert!(!found, "{other} in\n{shown}");
    }
}

#[test]
fn a_violation_without_an_instant_shows_the_end() {
    let violation = Violation { checker: "converged".into(), sentence: "web has no owner.".into(), at: None };
    let mut observations = observations();
    observations.records.push(record(1, 89_000, begin("web", 1, 9)));
    let shown = timeline(&observations, Some(&violation));
    assert!(shown.contains("reconcile 9 of web") && !shown.contains("57.000"), "{shown}");
}
