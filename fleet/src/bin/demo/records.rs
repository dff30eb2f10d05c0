//! Follows the record files of all replicas while they grow.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use overlap_checker::records::{Body, CrKey, RecordLog, Replica, Shard};

/// The records so far.
#[derive(Default)]
pub(super) struct Records {
    pub(super) log: RecordLog,
    /// How far each file has been read.
    read: HashMap<PathBuf, u64>,
    /// How many of the records the summaries below include.
    seen: usize,
    /// The shard that last reconciled each CR.
    shard_of: HashMap<CrKey, Shard>,
    /// The process that last started as each Pod.
    replica_of: HashMap<String, Replica>,
}

impl Records {
    /// Reads what was appended since the last call. A line that is still being written is left for the next
    /// one.
    pub(super) fn follow(&mut self, files: &[PathBuf]) -> Result<()> {
        for path in files {
            let read = self.read.entry(path.clone()).or_default();
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error).with_context(|| format!("{} could not be read", path.display()));
                }
            };
            file.seek(SeekFrom::Start(*read))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            *read += whole as u64;
            self.log.read_str(&path.display().to_string(), &String::from_utf8_lossy(&bytes[..whole]));
        }
        self.summarise();
        Ok(())
    }

    /// How many CRs each shard reconciled last.
    pub(super) fn crs_by_shard(&self) -> HashMap<Shard, usize> {
        let mut counts = HashMap::new();
        for shard in self.shard_of.values() {
            *counts.entry(*shard).or_default() += 1;
        }
        counts
    }

    /// The process that plays this Pod.
    pub(super) fn replica_of(&self, pod: &str) -> Option<&Replica> {
        self.replica_of.get(pod)
    }

    fn summarise(&mut self) {
        for record in &self.log.records[self.seen..] {
            match &record.body {
                Body::Begin { cr, shard, .. } => {
                    self.shard_of.insert(cr.clone(), *shard);
                }
                Body::ReplicaStart { .. } => {
                    self.replica_of.insert(record.replica.pod().to_owned(), record.replica.clone());
                }
                _ => {}
            }
        }
        self.seen = self.log.records.len();
    }
}
