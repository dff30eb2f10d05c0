//! Builds observations for the tests of the checkers; times are in milliseconds.

mod leases;
mod profiles;
mod resources;

use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::{Record, Replica};
use serde_json::{Value, json};

use super::{Judgement, judge};
use crate::observations::{
    AnswerFate, Exit, LeaseSpec, Observations, ObservedFault, Process, ReceivedRequest,
};
use crate::schedule::{Fault, FaultKind, NetworkSpec, ReplicaSpec, Schedule, Slot, Span, TimingsSpec};
use crate::time::TrueTime;

/// LeaseDuration, RenewDeadline and RetryPeriod of all stories: client-go's.
const TIMINGS: (u64, u64, u64) = (15, 10, 2);
const LAYOUT: &str = "cache.example.com/layout";
/// Long enough for every story to have become quiet.
const END: u64 = 100_000;

/// What happened, as far as told.
pub(super) struct RunBuilder {
    pub(super) observations: Observations,
    uids: u64,
    reconciles: u64,
}

pub(super) fn at(millis: u64) -> TrueTime {
    TrueTime::after_start(Duration::from_millis(millis))
}

impl RunBuilder {
    /// One shard, held and renewed throughout unless the story tells otherwise; all is as asked for at the end.
    pub(super) fn settled() -> Self {
        let (ld, rd, rp) = TIMINGS;
        let span = |min, max| Span { min: Duration::from_millis(min), max: Duration::from_millis(max) };
        let replica =
            ReplicaSpec { starts: TrueTime::START, drift_ppm: 0, wall_offset_ms: 0, uptime: Duration::ZERO };
        let schedule = Schedule {
            seed: 1,
            timings: TimingsSpec {
                lease_duration: Duration::from_secs(ld),
                renew_deadline: Duration::from_secs(rd),
                retry_period: Duration::from_secs(rp),
            },
            shards: 1,
            shards_config_map: false,
            key_label: false,
            replicas: vec![replica; 3],
            resources: 1,
            profiles: 0,
            reconcile: span(10, 100),
            network: NetworkSpec { latency: span(1, 5), straggler: span(5, 50) },
            busy_for: Duration::from_millis(END),
            faults: Vec::new(),
            edits: Vec::new(),
        };
        let observations = Observations {
            schedule,
            processes: Vec::new(),
            records: Vec::new(),
            requests: Vec::new(),
            leases: Vec::new(),
            children: Vec::new(),
            faults: Vec::new(),
            restores: Vec::new(),
            quiet_from: at(END),
            converged: Some(at(END)),
            missing: Vec::new(),
            ended: at(END),
            desired: BTreeMap::new(),
            profiles: BTreeMap::new(),
            objects: BTreeMap::new(),
            panics: Vec::new(),
        };
        let mut run = Self { observations, uids: 0, reconciles: 0 };
        // Somebody who is of no further interest has committed the layout.
        run.change("op", at(0), at(0), None, Some(LeaseSpec::default()));
        let coordinator = run.observations.leases.last_mut().expect("just told");
        coordinator.annotations.insert(LAYOUT.to_owned(), "{}".to_owned());
        let created = LeaseSpec { duration: Duration::from_secs(1), ..LeaseSpec::default() };
        run.change("op-shard-0", at(0), at(0), None, Some(created));
        run
    }

    pub(super) fn ends(&mut self, millis: u64) -> &mut Self {
        self.observations.ended = at(millis);
        self.observations.quiet_from = at(millis);
        self.observations.converged = Some(at(millis));
        self
    }

    pub(super) fn runs(&mut self, name: &str, slot: usize, from: u64) -> &mut Self {
        let identity = replica(name);
        self.observations.processes.push(Process {
            slot: Slot(slot),
            identity,
            shards: self.observations.schedule.shards,
            ended_before: Vec::new(),
            started: at(from),
            ended: None,
            rate: 1.0,
        });
        self
    }

    /// With the crash that explains it.
    pub(super) fn killed(&mut self, name: &str, when: u64) -> &mut Self {
        let process =
            self.observations.processes.iter_mut().find(|process| process.identity == replica(name));
        let process = process.expect("told of before");
        process.ended = Some((at(when), Exit::Killed));
        let slot = process.slot;
        self.fault(FaultKind::Crash(slot), when, when)
    }

    pub(super) fn fault(&mut self, what: FaultKind, from: u64, to: u64) -> &mut Self {
        let fault = Fault { at: at(from), lasts: Duration::from_millis(to - from), what };
        self.observations.faults.push(ObservedFault {
            fault,
            from: at(from),
            to: at(to),
            process: None,
            reconciles_hit: 0,
            lease_writes_hit: 0,
            messages: 0,
            watches_hit: 0,
            first_lists_hit: 0,
        });
        self
    }

    /// Takes a shard and renews it each RetryPeriod, until `to` inclusive, in records, requests and Lease alike.
    pub(super) fn holds(&mut self, name: &str, shard: u32, from: u64, to: u64) -> &mut Self {
        self.holds_from(name, shard, at(from), at(to))
    }

    pub(super) fn holds_from(&mut self, name: &str, shard: u32, from: TrueTime, to: TrueTime) -> &mut Self {
        let lease = format!("op-shard-{shard}");
        let (_, rd, rp) = TIMINGS;
        let mut sent = from;
        let token = from.nanos();
        let transitions = self.transitions(&lease) + 1;
        while sent <= to.min(self.observations.ended) {
            self.write(&lease, name, sent, sent, name, transitions);
            let until = (sent + Duration::from_secs(rd)).nanos();
            let kind = if sent == from { "hold-begin" } else { "hold-renewed" };
            self.record_at(
                name,
                sent,
                json!({"record": kind, "lease": lease, "shard": shard, "token": token, "sent_boot_ns": sent.nanos(),
                    "valid_until_boot_ns": until}),
            );
            if sent == from {
                self.starts(name, shard, sent, token);
            }
            sent = sent + Duration::from_secs(rp);
        }
        self
    }

    /// Lists the shard and is ready, all in the instant of the acquisition.
    fn starts(&mut self, name: &str, shard: u32, when: TrueTime, token: u64) {
        let of_all: Vec<String> = (0..256).map(|bucket| bucket.to_string()).collect();
        let selector = format!("cache.example.com/bucket in ({})", of_all.join(","));
        let uri = format!("/apis/cache.example.com/v1alpha1/memcacheds?labelSelector={selector}&limit=500");
        self.request_at(name, "GET", &uri, when, 200);
        self.record_at(
            name,
            when,
            json!({"record": "start-ready", "shard": shard, "token": token, "objects": 1}),
        );
    }

    /// A renewal of the last hold, as far as its replica's record goes.
    pub(super) fn renewed(&mut self, name: &str, shard: u32, when: u64, until: u64) -> &mut Self {
        let token = self.last_token(name).expect("a hold was told of");
        let body = json!({"record": "hold-renewed", "lease": format!("op-shard-{shard}"), "shard": shard, "token": token,
            "valid_until_boot_ns": at(until).nanos()});
        self.record(name, when, body)
    }

    /// Ends the last hold, and releases its Lease.
    pub(super) fn released(&mut self, name: &str, shard: u32, when: u64) -> &mut Self {
        let lease = format!("op-shard-{shard}");
        if let Some(token) = self.last_token(name) {
            let body = json!({"record": "hold-end", "lease": lease, "shard": shard, "token": token, "reason": "released"});
            self.record(name, when, body);
        }
        let transitions = self.transitions(&lease);
        self.wrote(&lease, name, when, when, "", transitions)
    }

    fn last_token(&self, name: &str) -> Option<u64> {
        self.observations.records.iter().rev().find_map(|record| match &record.body {
            overlap_checker::records::Body::HoldBegin { token, .. } if record.replica == replica(name) => {
                Some(token.0)
            }
            _ => None,
        })
    }

    pub(super) fn record(&mut self, name: &str, when: u64, body: Value) -> &mut Self {
        self.record_at(name, at(when), body)
    }

    fn record_at(&mut self, name: &str, when: TrueTime, mut body: Value) -> &mut Self {
        body["replica"] = json!(replica(name));
        body["wall"] = json!("2026-01-01T00:00:00Z");
        body["boot_ns"] = json!(when.nanos());
        body["boot_id"] = json!("machine");
        let record: Record = serde_json::from_value(body).expect("a record");
        self.observations.records.push(record);
        self
    }

    pub(super) fn request(&mut self, name: &str, method: &str, uri: &str, when: u64, code: u16) -> &mut Self {
        self.request_at(name, method, uri, at(when), code)
    }

    fn request_at(&mut self, name: &str, method: &str, uri: &str, when: TrueTime, code: u16) -> &mut Self {
        let by = replica(name);
        let before = |record: &&Record| record.replica == by && TrueTime::of(record.boot) <= when;
        self.observations.requests.push(ReceivedRequest {
            recorded: self.observations.records.iter().filter(before).count(),
            user_agent: format!("memcached-operator/0.1.0 ({by})"),
            by: Some(by),
            sent: when,
            arrived: when,
            method: method.to_owned(),
            uri: uri.to_owned(),
            code,
            landed: code < 300,
            answer: AnswerFate::Delivered(Duration::ZERO),
        });
        self
    }
}

fn replica(name: &str) -> Replica {
    Replica(format!("{name}_1"))
}

/// Asserts that this checker, and no other, found something.
pub(super) fn only(run: &RunBuilder, checker: &str) -> Vec<String> {
    let judgement = judge(&run.observations);
    assert!(!judgement.violations.is_empty(), "{checker} found nothing");
    assert!(judgement.violations.iter().all(|found| found.checker == checker), "{:#?}", judgement.violations);
    judgement.violations.into_iter().map(|found| found.sentence).collect()
}

/// Asserts that this checker found so much, whatever others say of a story that leaves out their part.
pub(super) fn only_of(run: &RunBuilder, checker: &str, count: usize) -> Vec<String> {
    let violations = judge(&run.observations).violations;
    let found: Vec<_> = violations.into_iter().filter(|found| found.checker == checker).collect();
    assert_eq!(found.len(), count, "{found:#?}");
    found.into_iter().map(|found| found.sentence).collect()
}

/// Asserts that nothing was violated.
pub(super) fn passes(run: &RunBuilder) -> Judgement {
    let judgement = judge(&run.observations);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
    judgement
}
