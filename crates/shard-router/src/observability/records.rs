//! The reconcile records: JSON lines from which external tools check the promise.
//!
//! A `begin` line is flushed before the first request of its reconcile, so every request that reaches the
//! cluster has a record. Instants are `CLOCK_BOOTTIME` in nanoseconds, which can be compared between
//! processes on the same machine. The wall clock is added for people.

mod hold;
mod line;
mod sink;

use std::{sync::Arc, time::Duration};

use lease_core::{Clock, Now, Validity};
use serde_json::{Map, Value, json};

pub(crate) use hold::HoldRecord;
pub(crate) use line::{HoldFacts, ReconcileFacts};
pub use sink::{FileSink, RecordSink, RecordTarget, StandardSink};

/// Writes the records of one replica.
#[derive(Clone)]
pub(crate) struct Recorder {
    sink: Option<Arc<dyn RecordSink>>,
    clock: Arc<dyn Clock>,
    replica: Arc<str>,
    boot_id: Arc<str>,
}

impl Recorder {
    pub(crate) fn new(sink: Option<Arc<dyn RecordSink>>, clock: Arc<dyn Clock>, replica: &str) -> Self {
        Self { sink, clock, replica: replica.into(), boot_id: boot_id().into() }
    }

    /// A reading of the clocks that the records use.
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn replica_start(&self, pod: &str, user_agent: &str) {
        let pid = std::process::id();
        let version = env!("CARGO_PKG_VERSION");
        self.write(
            "replica-start",
            json!({"pid": pid, "pod": pod, "user_agent": user_agent, "version": version}),
        );
    }

    pub(crate) fn replica_end(&self, exit: &str) {
        self.write("replica-end", json!({ "exit": exit }));
    }

    /// A hold counts from the sending of the request that acquired it. Both instants are absent without leader election.
    pub(crate) fn hold_begin(&self, hold: &HoldFacts, sent: Now, validity: Validity) {
        let elected = !validity.is_unlimited();
        let end = elected.then(|| nanos(validity.end().boottime.since_origin()));
        let sent = elected.then(|| nanos(sent.boottime.since_origin()));
        self.write("hold-begin", hold.with(json!({"valid_until_boot_ns": end, "sent_boot_ns": sent})));
    }

    pub(crate) fn hold_renewed(&self, hold: &HoldFacts, validity: Validity) {
        let end = nanos(validity.end().boottime.since_origin());
        self.write("hold-renewed", hold.with(json!({ "valid_until_boot_ns": end })));
    }

    pub(crate) fn hold_end(&self, hold: &HoldFacts, reason: &str) {
        self.write("hold-end", hold.with(json!({ "reason": reason })));
    }

    pub(crate) fn start_ready(&self, hold: &HoldFacts, objects: usize) {
        self.write("start-ready", hold.with(json!({ "objects": objects })));
    }

    /// `at` must be the reading that the validity was checked against, so that the instant in `begin` is never
    /// after the end of the hold.
    pub(crate) fn begin(&self, reconcile: &ReconcileFacts, at: Now) {
        self.write_at(at, "begin", reconcile.opening());
    }

    pub(crate) fn end(&self, reconcile: &ReconcileFacts, outcome: &str, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.write("end", reconcile.with(json!({"outcome": outcome, "duration_ms": took})));
    }

    pub(crate) fn aborted(&self, reconcile: &ReconcileFacts) {
        self.write("aborted", reconcile.with(json!({})));
    }

    /// A record that cannot be written is logged and does not stop the work. The records are incomplete then, which a
    /// checker can detect with the audit log.
    fn write(&self, record: &str, fields: Value) {
        self.write_at(self.clock.now(), record, fields);
    }

    fn write_at(&self, at: Now, record: &str, fields: Value) {
        let Some(sink) = &self.sink else { return };
        let mut line = Map::new();
        line.insert("record".into(), record.into());
        line.insert("replica".into(), self.replica.as_ref().into());
        line.insert("wall".into(), format!("{:.6}", self.clock.wall()).into());
        line.insert("boot_ns".into(), nanos(at.boottime.since_origin()).into());
        line.insert("boot_id".into(), self.boot_id.as_ref().into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        if let Err(error) = sink.write_line(&Value::Object(line).to_string()) {
            tracing::error!(%error, record, "a reconcile record could not be written; the records have a gap");
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Which boot of which machine `boot_ns` counts from; empty where the system has no such file.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
