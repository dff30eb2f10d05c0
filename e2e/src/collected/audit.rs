//! The API server's audit log on the control plane of a kind cluster.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use overlap_checker::AuditLog;
use serde_json::Value;

use crate::cluster::{AUDIT_LOG, Cluster};

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

/// The line with the Pod as part of its user's name. All replicas share a service account, and the token of each is bound to
/// its Pod: the API server writes that down, and it cannot be coloured by what the client says of itself. None for
/// Leases, which are not judged by their writes.
fn attributed(line: &str, users: &mut BTreeMap<String, String>) -> Option<String> {
    let Ok(mut event) = serde_json::from_str::<Value>(line) else { return Some(line.to_owned()) };
    if event["objectRef"]["resource"] == "leases" {
        return None;
    }
    let pod = event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0].as_str().map(str::to_owned);
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
    fn leases_are_left_out_and_torn_lines_kept() {
        let mut users = BTreeMap::new();
        assert_eq!(attributed(r#"{"objectRef":{"resource":"leases"}}"#, &mut users), None);
        assert_eq!(attributed("{\"obj", &mut users).as_deref(), Some("{\"obj"));
    }
}
