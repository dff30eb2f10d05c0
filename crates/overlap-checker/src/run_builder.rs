//! Builds runs for the tests of the checker: times are in milliseconds, and the result is the lines that replicas
//! and the API server write, so that the tests go through the parsers as well.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AuditLog, Fault, JudgedResource, Observations, Owner, Rules, Verdict, WriteRules, judge};
use crate::records::{BootId, BootTime, CrKey, RecordLog, Replica, Stamp};

/// The wall clock's second at the start of the run.
const WALL_SECONDS: i64 = 1_767_225_600;
/// The boot clock's nanoseconds at the start of the run.
const BOOT_NANOS: u64 = 7_000_000_000;

/// The records and audit events of a run, so far.
pub(super) struct RunBuilder {
    records: Vec<String>,
    audit: Vec<String>,
    reconciles: u64,
    /// How far the wall clock of the replicas is ahead of the API server's.
    pub(super) wall_ahead_ms: i64,
    pub(super) observations: Observations,
    pub(super) rules: Rules,
}

/// A reconcile that has begun.
#[derive(Clone)]
pub(super) struct StartedReconcile {
    replica: String,
    cr: String,
    id: u64,
}

impl RunBuilder {
    pub(super) fn new() -> Self {
        let judged = vec![
            JudgedResource::new("cache.example.com", "memcacheds", Owner::Itself),
            JudgedResource::new("", "services", Owner::SameName),
            JudgedResource::new("policy", "poddisruptionbudgets", Owner::Suffix("-pdb".into())),
        ];
        let users = ["a", "b", "c"].map(|pod| (format!("user-{pod}"), pod.to_owned())).into();
        let rules =
            Rules { writes: WriteRules { judged, users, ..WriteRules::default() }, ..Rules::default() };
        Self {
            records: Vec::new(),
            audit: Vec::new(),
            reconciles: 0,
            wall_ahead_ms: 0,
            observations: Observations::default(),
            rules,
        }
    }

    pub(super) fn hold(&mut self, replica: &str, shard: u32, token: u64, at: u64, until: u64) {
        let body = json!({"record": "hold-begin", "lease": format!("op-shard-{shard}"), "shard": shard, "token": token,
            "sent_boot_ns": boot(at), "valid_until_boot_ns": boot(until)});
        self.record(replica, at, body);
    }

    pub(super) fn renew(&mut self, replica: &str, shard: u32, token: u64, at: u64, until: u64) {
        let body = json!({"record": "hold-renewed", "lease": format!("op-shard-{shard}"), "shard": shard,
            "token": token, "valid_until_boot_ns": boot(until)});
        self.record(replica, at, body);
    }

    pub(super) fn end_hold(&mut self, replica: &str, shard: u32, token: u64, at: u64) {
        let body = json!({"record": "hold-end", "lease": format!("op-shard-{shard}"), "shard": shard, "token": token,
            "reason": "released"});
        self.record(replica, at, body);
    }

    pub(super) fn begin(
        &mut self,
        replica: &str,
        cr: &str,
        shard: u32,
        token: u64,
        at: u64,
    ) -> StartedReconcile {
        self.begin_uid(replica, cr, &format!("uid-{cr}"), shard, token, at)
    }

    pub(super) fn begin_uid(
        &mut self,
        replica: &str,
        cr: &str,
        uid: &str,
        shard: u32,
        token: u64,
        at: u64,
    ) -> StartedReconcile {
        self.reconciles += 1;
        let body = json!({"record": "begin", "cr": path(cr), "uid": uid, "generation": 1, "bucket": 0,
            "shard": shard, "token": token, "reconcile": self.reconciles});
        self.record(replica, at, body);
        StartedReconcile { replica: replica.to_owned(), cr: cr.to_owned(), id: self.reconciles }
    }

    pub(super) fn end(&mut self, begun: &StartedReconcile, at: u64) {
        self.end_with(begun, at, "ok");
    }

    pub(super) fn end_with(&mut self, begun: &StartedReconcile, at: u64, outcome: &str) {
        let body = json!({"record": "end", "cr": path(&begun.cr), "reconcile": begun.id,
            "outcome": outcome, "duration_ms": 1});
        self.record(&begun.replica, at, body);
    }

    pub(super) fn abort(&mut self, begun: &StartedReconcile, at: u64) {
        let body = json!({"record": "aborted", "cr": path(&begun.cr), "reconcile": begun.id});
        self.record(&begun.replica, at, body);
    }

    /// A reconcile of a CR from begin to end.
    pub(super) fn reconcile(&mut self, replica: &str, cr: &str, shard: u32, token: u64, from: u64, to: u64) {
        let begun = self.begin(replica, cr, shard, token, from);
        self.end(&begun, to);
    }

    /// An accepted patch of the CR's Service.
    pub(super) fn write(&mut self, replica: &str, cr: &str, at: u64) {
        self.audited(replica, "", "services", cr, at, json!({}));
    }

    /// A write with any field of the audit event replaced.
    pub(super) fn audited(
        &mut self,
        replica: &str,
        group: &str,
        resource: &str,
        name: &str,
        at: u64,
        with: Value,
    ) {
        let mut event = json!({"stage": "ResponseComplete", "verb": "patch", "requestURI": "/apis/…",
            "user": {"username": format!("user-{replica}")}, "userAgent": format!("op/0.1.0 ({replica}_1)"),
            "objectRef": {"apiGroup": group, "resource": resource, "namespace": "default", "name": name},
            "responseStatus": {"code": 200}, "requestReceivedTimestamp": wall(at, 0), "stageTimestamp": wall(at + 1, 0)});
        if let (Some(event), Value::Object(with)) = (event.as_object_mut(), with) {
            event.extend(with);
        }
        self.audit.push(event.to_string());
    }

    pub(super) fn fault(&mut self, replica: &str, at: u64) {
        self.observations.faults.push(Fault { replica: Replica(format!("{replica}_1")), at: stamp(at) });
    }

    pub(super) fn seen_dead(&mut self, replica: &str, at: u64) {
        self.observations.ended = vec![Fault { replica: Replica(format!("{replica}_1")), at: stamp(at) }];
    }

    pub(super) fn observations(&self) -> Observations {
        let mut observations = self.observations.clone();
        let mut records = RecordLog::default();
        records.read_str("records", &self.records.join("\n"));
        observations.records = records;
        observations.audit = (!self.audit.is_empty()).then(|| AuditLog::read_str(&self.audit.join("\n")));
        observations
    }

    pub(super) fn judge(&self) -> Verdict {
        judge(&self.observations(), &self.rules)
    }

    fn record(&mut self, replica: &str, at: u64, mut body: Value) {
        body["replica"] = json!(format!("{replica}_1"));
        body["wall"] = json!(wall(at, self.wall_ahead_ms));
        body["boot_ns"] = json!(boot(at));
        body["boot_id"] = json!("machine");
        self.records.push(body.to_string());
    }
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn stamp(at: u64) -> Stamp {
    Stamp { boot: BootTime(boot(at)), boot_id: BootId("machine".into()) }
}

pub(super) fn cr(name: &str) -> CrKey {
    CrKey::new("default", name)
}

/// As the records call a CR: of the only kind, unless its name says which.
fn path(cr: &str) -> String {
    match cr.split_once('/') {
        Some((kind, name)) => format!("{kind}/default/{name}"),
        None => format!("default/{cr}"),
    }
}

fn boot(at: u64) -> u64 {
    BOOT_NANOS + at * 1_000_000
}

fn wall(at: u64, ahead_ms: i64) -> String {
    let start = jiff::Timestamp::from_second(WALL_SECONDS).expect("a valid second");
    let at = jiff::SignedDuration::from_millis(i64::try_from(at).expect("short stories") + ahead_ms);
    format!("{:.6}", start.checked_add(at).expect("a valid time"))
}
