//! From JSON lines to records, keeping account of what could not be read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::Record;

/// The record types that this version understands.
const KNOWN: [&str; 9] = [
    "replica-start",
    "hold-begin",
    "hold-renewed",
    "hold-end",
    "start-ready",
    "begin",
    "end",
    "aborted",
    "replica-end",
];

/// How every line begins; what is searched for when a torn line and a whole one share a line.
const OPENING: &str = "{\"";

/// The records of any number of replicas, and what could not be read.
#[derive(Debug, Clone, Default)]
pub struct RecordLog {
    /// In the order of reading: program order within one process.
    pub records: Vec<Record>,
    /// What was read and what was not.
    pub tally: Tally,
}

/// What was read and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Lines that were not empty.
    pub lines: u64,
    /// Records of types that this version does not know, by type.
    pub unknown: BTreeMap<String, u64>,
    /// Lines that are no JSON: what a process leaves that is killed while it writes.
    pub torn: Vec<MalformedLine>,
    /// Records of a known type whose fields do not fit. These are a fault of the writer.
    pub malformed: Vec<MalformedLine>,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MalformedLine {
    /// The file, or what the caller named it.
    pub source: String,
    /// Counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl RecordLog {
    /// Adds the records of one file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_file(&mut self, path: &Path) -> io::Result<()> {
        let bytes = std::fs::read(path)?;
        self.read_str(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
        Ok(())
    }

    /// Adds records from text; `source` is named in the tally.
    pub fn read_str(&mut self, source: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            self.tally.lines += 1;
            let malformed =
                |reason: String| MalformedLine { source: source.to_owned(), line: index as u64 + 1, reason };
            match serde_json::from_str::<Value>(line) {
                Ok(value) => self.take(value, malformed),
                Err(error) => {
                    self.tally.torn.push(malformed(error.to_string()));
                    if let Some(value) = whole_tail(line) {
                        self.take(value, malformed);
                    }
                }
            }
        }
    }

    fn take(&mut self, value: Value, malformed: impl Fn(String) -> MalformedLine) {
        let kind = value.get("record").and_then(Value::as_str).unwrap_or("(none)").to_owned();
        if !KNOWN.contains(&kind.as_str()) {
            *self.tally.unknown.entry(kind).or_default() += 1;
            return;
        }
        match serde_json::from_value(value) {
            Ok(record) => self.records.push(record),
            Err(error) => self.tally.malformed.push(malformed(format!("{kind}: {error}"))),
        }
    }
}

/// A process that was killed while writing leaves half a line, and the next process that appends to the file
/// continues on it: the rest of such a line is a record in its own right.
fn whole_tail(line: &str) -> Option<Value> {
    line.match_indices(OPENING).skip(1).find_map(|(at, _)| {
        let value: Value = serde_json::from_str(&line[at..]).ok()?;
        value.get("record").is_some().then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Body, CrKey};

    const HEAD: &str = r#""replica":"op-0_a","wall":"2026-01-01T00:00:00.000001Z","boot_ns":5,"boot_id":"b""#;

    fn begin() -> String {
        format!(
            r#"{{"record":"begin",{HEAD},"cr":"default/m","uid":"u","generation":2,"bucket":7,"shard":3,"token":9,"reconcile":1}}"#
        )
    }

    fn read(text: &str) -> RecordLog {
        let mut log = RecordLog::default();
        log.read_str("test", text);
        log
    }

    #[test]
    fn every_known_type_is_read() {
        let rests = [
            r#""record":"replica-start","pid":1,"pod":"op-0","user_agent":"x","version":"1""#,
            r#""record":"hold-begin","lease":"l","shard":3,"token":9,"sent_boot_ns":1,"valid_until_boot_ns":8"#,
            r#""record":"hold-renewed","lease":"l","shard":3,"token":9,"valid_until_boot_ns":8"#,
            r#""record":"hold-end","lease":"l","shard":3,"token":9,"reason":"released""#,
            r#""record":"start-ready","shard":3,"token":9,"objects":4"#,
            r#""record":"begin","cr":"a/b","uid":"u","shard":3,"token":9,"reconcile":1"#,
            r#""record":"end","cr":"a/b","uid":"u","shard":3,"token":9,"reconcile":1,"outcome":"ok","duration_ms":3"#,
            r#""record":"aborted","cr":"a/b","uid":"u","shard":3,"token":9,"reconcile":1"#,
            r#""record":"replica-end","exit":"clean""#,
        ];
        let text = rests.map(|rest| format!("{{{rest},{HEAD}}}\n")).concat();
        let log = read(&text);
        assert_eq!(log.records.len(), KNOWN.len(), "{:?}", log.tally);
        assert_eq!(log.tally, Tally { lines: KNOWN.len() as u64, ..Tally::default() });
    }

    #[test]
    fn the_fields_of_a_begin_arrive() {
        let log = read(&begin());
        let Body::Begin { cr, generation, bucket, shard, .. } = &log.records[0].body else {
            panic!("not a begin: {:?}", log.records[0]);
        };
        assert_eq!(*cr, CrKey::new("default", "m"));
        assert_eq!((*generation, *bucket, shard.0), (Some(2), Some(7), 3));
    }

    #[test]
    fn a_torn_last_line_is_counted() {
        let whole = begin();
        let log = read(&format!("{whole}\n{}", &whole[..40]));
        assert_eq!(log.records.len(), 1);
        assert_eq!(log.tally.torn.len(), 1);
        assert_eq!(log.tally.torn[0].line, 2);
    }

    #[test]
    fn a_line_that_continues_a_torn_one_is_kept() {
        let whole = begin();
        let log = read(&format!("{}{whole}\n{whole}\n", &whole[..40]));
        assert_eq!(log.records.len(), 2, "{:?}", log.tally);
        assert_eq!(log.tally.torn.len(), 1);
    }

    #[test]
    fn unknown_types_and_unfit_fields_are_counted_apart() {
        let log = read(&format!("{{\"record\":\"nap\",{HEAD}}}\n{{\"record\":\"begin\",{HEAD}}}\n{{}}\n"));
        assert!(log.records.is_empty());
        assert_eq!(log.tally.unknown, BTreeMap::from([("nap".into(), 1), ("(none)".into(), 1)]));
        assert_eq!(log.tally.malformed.len(), 1);
        assert!(log.tally.malformed[0].reason.contains("begin"));
    }
}
