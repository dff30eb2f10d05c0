//! The API server's audit log on the control plane of a kind cluster.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use overlap_checker::{AuditLog, Moment};
use serde_json::Value;

use crate::cluster::{AUDIT_LOG, Cluster};

/// Where the API server says which Pod a token is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// A Lease that a Pod created or deleted.
#[derive(Debug, Clone)]
pub(crate) struct LeaseChange {
    pub(crate) namespace: String,
    pub(crate) lease: String,
    pub(crate) what: LeaseChanged,
    /// When the API server had answered.
    pub(crate) at: Moment,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseChanged {
    Created,
    Deleted,
}

/// Reads the log while it grows.
pub(super) struct AuditReader {
    copy: PathBuf,
    read: u64,
    pub(super) lines: u64,
}

impl AuditReader {
    pub(super) fn new(copy: PathBuf) -> Self {
        Self { copy, read: 0, lines: 0 }
    }

    /// Adds what is new to `log`, and to `users` the Pods that it names.
    pub(super) async fn read(
        &mut self,
        cluster: &Cluster,
        log: &mut Option<AuditLog>,
        users: &mut BTreeMap<String, String>,
        lease_changes: &mut Vec<LeaseChange>,
    ) -> Result<()> {
        let Ok(node) = cluster.control_plane() else { return Ok(()) };
        let bytes = node.shell_bytes(&format!("tail --bytes=+{} {AUDIT_LOG}", self.read + 1)).await;
        let bytes = bytes.context("the API server's audit log could not be read")?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        self.read += whole as u64;
        let mut copy = OpenOptions::new().create(true).append(true).open(&self.copy)?;
        copy.write_all(&bytes[..whole])?;
        let mut text = String::new();
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            self.lines += 1;
            lease_changes.extend(lease_change(line));
            if let Some(line) = attributed(line, users) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        let new = AuditLog::read_str(&text);
        let log = log.get_or_insert_default();
        log.events.extend(new.events);
        log.malformed += new.malformed;
        Ok(())
    }
}

/// The line as a creation or deletion of a Lease, if it is one of a Pod.
fn lease_change(line: &str) -> Option<LeaseChange> {
    let event: Value = serde_json::from_str(line).ok().filter(|event: &Value| {
        event["objectRef"]["resource"] == "leases" && event["user"]["extra"][POD_NAME][0].is_string()
    })?;
    let event = AuditLog::read_str(&event.to_string()).events.pop()?;
    let what = match event.verb.as_str() {
        "delete" if event.is_accepted() => LeaseChanged::Deleted,
        _ if event.code == 201 => LeaseChanged::Created,
        _ => return None,
    };
    Some(LeaseChange { namespace: event.namespace, lease: event.name, what, at: event.answered })
}

/// The line with the Pod as part of its user's name. All replicas share a service account, and the token of each is bound to
/// its Pod: the API server writes that down, and it cannot be coloured by what the client says of itself. None for
/// Leases, which are not judged by their writes.
fn attributed(line: &str, users: &mut BTreeMap<String, String>) -> Option<String> {
    let Ok(mut event) = serde_json::from_str::<Value>(line) else { return Some(line.to_owned()) };
    if event["objectRef"]["resource"] == "leases" {
        return None;
    }
    let pod = event["user"]["extra"][POD_NAME][0].as_str().map(str::to_owned);
    if let (Some(pod), Some(user)) = (pod, event["user"]["username"].as_str()) {
        let user = format!("{user}/{pod}");
        event["user"]["username"] = user.clone().into();
        users.insert(user, pod);
    }
    Some(event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_token_tells_its_name() {
        let line = r#"{"user":{"username":"system:serviceaccount:a:b","extra":{"authentication.kubernetes.io/pod-name":["b-1"]}},
            "objectRef":{"resource":"services"}}"#;
        let mut users = BTreeMap::new();
        let line = attributed(line, &mut users).expect("it is kept");
        assert!(line.contains("system:serviceaccount:a:b/b-1"), "{line}");
        assert_eq!(users, BTreeMap::from([("system:serviceaccount:a:b/b-1".to_owned(), "b-1".to_owned())]));
    }

    #[test]
    fn a_pod_creates_and_deletes_leases_and_others_do_not_count() {
        let line = |verb: &str, code: u16, extra: &str| {
            format!(
                r#"{{"stage":"ResponseComplete","verb":"{verb}","user":{{"username":"u","extra":{extra}}},
                "objectRef":{{"resource":"leases","namespace":"n","name":"op-3"}},"responseStatus":{{"code":{code}}},
                "requestReceivedTimestamp":"2026-01-01T00:00:01Z","stageTimestamp":"2026-01-01T00:00:02Z"}}"#
            )
        };
        let pod = format!(r#"{{"{POD_NAME}":["op-1"]}}"#);
        let what = |verb, code, extra: &str| lease_change(&line(verb, code, extra)).map(|change| change.what);
        assert_eq!(what("create", 201, &pod), Some(LeaseChanged::Created));
        assert_eq!(what("delete", 200, &pod), Some(LeaseChanged::Deleted));
        assert_eq!(what("delete", 409, &pod), None);
        assert_eq!(what("update", 200, &pod), None);
        assert_eq!(what("delete", 200, "{}"), None);
        let change = lease_change(&line("create", 201, &pod)).expect("a change");
        assert_eq!((change.namespace.as_str(), change.lease.as_str()), ("n", "op-3"));
    }

    #[test]
    fn leases_are_left_out_and_torn_lines_kept() {
        let mut users = BTreeMap::new();
        assert_eq!(attributed(r#"{"objectRef":{"resource":"leases"}}"#, &mut users), None);
        assert_eq!(attributed("{\"obj", &mut users).as_deref(), Some("{\"obj"));
    }
}
