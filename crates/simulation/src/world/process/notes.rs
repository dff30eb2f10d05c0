//! What a process writes down: its records, and how far it has come.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lease_core::Boottime;
use overlap_checker::records::Record;
use serde_json::Value;
use shard_router::RecordSink;

use super::Process;
use crate::clock::{EPOCH, MachineClock};
use crate::time::TrueTime;
use crate::transport::Wire;

/// What the first kind is called in records, beside another one.
const MEMCACHED: &str = "Memcached.cache.example.com/";

/// What a process leaves behind.
#[derive(Default)]
pub(super) struct Notes {
    lines: Mutex<Vec<(TrueTime, String)>>,
    /// How many of them are in the trace.
    traced: AtomicUsize,
    /// Reconciles that have begun and not ended.
    pub(super) running: AtomicU64,
    pub(super) overrun: AtomicBool,
    pub(super) returned: AtomicBool,
}

pub(super) struct Sink {
    pub(super) notes: Arc<Notes>,
    pub(super) wire: Arc<Wire>,
    pub(super) clock: Arc<MachineClock>,
}

impl RecordSink for Sink {
    fn write_line(&self, line: &str) -> std::io::Result<()> {
        // What destructors write when the machine is taken away was never written.
        if self.wire.is_alive() {
            if line.contains("\"record\":\"begin\"") {
                self.notes.running.fetch_add(1, Ordering::Relaxed);
            } else if line.contains("\"record\":\"end\"") || line.contains("\"record\":\"aborted\"") {
                self.notes.running.fetch_sub(1, Ordering::Relaxed);
            }
            let mut lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push((self.clock.true_now(), line.to_owned()));
            self.wire.record_written();
        }
        Ok(())
    }
}

impl Process {
    pub(super) fn trace(&self, trace: &mut crate::trace::Trace) {
        let lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, line) in lines.iter().skip(self.notes.traced.load(Ordering::Relaxed)) {
            trace.line(*at, format_args!("{}", portable(line)));
        }
        self.notes.traced.store(lines.len(), Ordering::Relaxed);
    }

    /// Its records, in true time.
    pub(in crate::world) fn records(&self) -> Vec<Record> {
        let lines = self.notes.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(at, line)| self.translated(*at, line)).collect()
    }

    fn translated(&self, at: TrueTime, line: &str) -> Record {
        let mut record: Value = serde_json::from_str(line).expect("the recorder writes JSON");
        for field in ["boot_ns", "sent_boot_ns", "valid_until_boot_ns"] {
            if let Some(nanos) = record.get(field).and_then(Value::as_u64) {
                record[field] = self
                    .clock
                    .true_time_of(Boottime::from_origin(Duration::from_nanos(nanos)))
                    .nanos()
                    .into();
            }
        }
        // Where there is a second kind, records name both. The first one is the usual one to the checkers.
        if let Some(cr) = record.get("cr").and_then(Value::as_str).and_then(|cr| cr.strip_prefix(MEMCACHED)) {
            record["cr"] = cr.to_owned().into();
        }
        record["boot_id"] = "simulation".into();
        let passed = jiff::SignedDuration::try_from(at.since_start()).unwrap_or_default();
        record["wall"] = EPOCH.saturating_add(passed).expect("a schedule is short").to_string().into();
        serde_json::from_value(record).expect("the recorder writes what the test kit reads")
    }
}

/// A record without what is another on each machine and in each run: the boot's id, which comes first, and the start's pid.
fn portable(line: &str) -> &str {
    if line.contains("\"record\":\"replica-start\"") {
        return "replica-start";
    }
    line.split_once(',').map_or(line, |(_, rest)| rest)
}
