//! What the operators asked for, as the API server's audit log has it.

mod counts;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;

pub(crate) use counts::{Counts, Request};

/// Reads the log as it grows, and counts.
pub(crate) struct Audit {
    path: PathBuf,
    /// Up to here it has been read.
    offset: u64,
    /// Of the replicas' Leases and the events about them.
    elections: String,
    so_far: Tally,
    /// When something was last found but for renewals and watches.
    active: Instant,
}

/// All that was asked for up to some instant, or between two of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// For the work.
    pub(crate) work: Counts,
    /// For Leases, and events about them.
    pub(crate) elections: Counts,
    /// Watches that have begun, and have not ended, by user.
    pub(crate) open_watches: BTreeMap<String, i64>,
    /// Watches of resources that have begun, by user.
    pub(crate) watches_begun: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

impl Audit {
    /// `elections` is the namespace of the Leases.
    pub(crate) fn new(path: PathBuf, elections: &str) -> Self {
        let (elections, so_far) = (elections.to_owned(), Tally::default());
        Self { path, offset: 0, elections, so_far, active: Instant::now() }
    }

    /// Reads what has been added, and returns everything since the beginning.
    ///
    /// The API server writes an entry before it sends the answer, so what a client knows of has been counted.
    pub(crate) fn read(&mut self) -> Result<&Tally> {
        let path = self.path.display().to_string();
        let mut file = File::open(&self.path).with_context(|| format!("{path} cannot be opened"))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = BufReader::new(file);
        let mut line = String::new();
        // A line without its end is still being written.
        while lines.read_line(&mut line).with_context(|| format!("{path} cannot be read"))? > 0
            && line.ends_with('\n')
        {
            self.offset += line.len() as u64;
            let event = serde_json::from_str(&line).with_context(|| format!("{path} has {line:?}"))?;
            self.take(event);
            line.clear();
        }
        Ok(&self.so_far)
    }

    /// For how long nothing has been asked for but renewals of Leases and watches.
    pub(crate) fn quiet_for(&mut self) -> Result<Duration> {
        self.read()?;
        Ok(self.active.elapsed())
    }

    fn take(&mut self, event: Event) {
        let Event { stage, verb, user, object_ref: object, response_status } = event;
        if verb == "watch" {
            match stage.as_str() {
                "ResponseStarted" => {
                    *self.so_far.open_watches.entry(user.username.clone()).or_default() += 1;
                    if object.resource == "memcacheds" {
                        *self.so_far.watches_begun.entry(user.username).or_default() += 1;
                    }
                }
                _ => return *self.so_far.open_watches.entry(user.username).or_default() -= 1,
            }
        } else if stage != "ResponseComplete" {
            return;
        }
        let is_election = object.namespace == self.elections;
        if verb != "watch" && !is_election {
            self.active = Instant::now();
        }
        let counts = if is_election { &mut self.so_far.elections } else { &mut self.so_far.work };
        counts.add(Request::new(&verb, &object.resource, &object.subresource), response_status.code);
    }
}

impl Tally {
    /// What came after `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            work: self.work.since(&before.work),
            elections: self.elections.since(&before.elections),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn entry(verb: &str, stage: &str, resource: &str, namespace: &str, code: u16) -> String {
        let event = serde_json::json!({
            "stage": stage, "verb": verb, "user": {"username": "pod-0"},
            "objectRef": {"resource": resource, "namespace": namespace}, "responseStatus": {"code": code},
        });
        format!("{event}\n")
    }

    #[test]
    fn each_answered_request_counts_once_and_a_half_written_line_later() {
        let path = std::env::temp_dir().join(format!("bench-audit-{}.jsonl", std::process::id()));
        let mut file = File::create(&path).expect("a file");
        let whole = [
            entry("patch", "ResponseComplete", "services", "bench", 201),
            entry("patch", "ResponseComplete", "services", "bench", 409),
            entry("watch", "ResponseStarted", "services", "", 200),
            entry("update", "ResponseComplete", "leases", "operators", 200),
        ];
        let late = entry("watch", "ResponseComplete", "services", "", 200);
        let (begin, end) = late.split_at(20);
        write!(file, "{}{begin}", whole.concat()).expect("written");
        let mut audit = Audit::new(path.clone(), "operators");
        let first = audit.read().expect("read").clone();
        let services = Request::new("patch", "services", "");
        assert_eq!((first.work.sent(&services), first.work.accepted(&services)), (2, 1));
        assert_eq!((first.work.writes_accepted(), first.elections.writes_accepted()), (1, 1));
        assert_eq!(first.open_watches["pod-0"], 1);
        write!(file, "{end}").expect("written");
        let second = audit.read().expect("read").clone();
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(second.open_watches["pod-0"], 0);
        assert_eq!(second.since(&first).work.total(), 0);
    }
}
