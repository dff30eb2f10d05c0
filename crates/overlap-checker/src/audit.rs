//! The API server's audit log: which requests it accepted, and from whom. The replicas cannot falsify it.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::clock::Moment;
use crate::records::Replica;

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// `create`, `update`, `patch`, `delete`, `deletecollection`, ….
    pub verb: String,
    /// The user that the API server authorised; with impersonation, the impersonated one.
    pub user: String,
    /// The User-Agent of the client.
    pub user_agent: String,
    /// Path and query.
    pub uri: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural resource.
    pub resource: String,
    /// Subresource; empty for none.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name; empty for collections.
    pub name: String,
    /// When the API server received the request.
    pub received: Moment,
    /// When it had answered.
    pub answered: Moment,
    /// The HTTP status; 0 if the API server panicked, or if the client closed the connection before there was one.
    pub code: u16,
}

impl AuditEvent {
    /// Whether the verb changes objects.
    pub fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str())
    }

    /// Whether the API server did not authenticate the client, so that only its User-Agent identifies it.
    pub fn is_unauthenticated(&self) -> bool {
        self.user == "system:anonymous"
    }

    /// Whether it was answered with success.
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether it was neither accepted nor refused: without an answer, or with one (504 in particular) after which the write may
    /// have been applied.
    pub fn is_uncertain(&self) -> bool {
        self.code == 0 || self.code >= 500
    }

    /// Whether it changes nothing, whatever the answer is.
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=All")
    }

    /// The holderIdentity that ends the user agent in parentheses.
    pub fn replica(&self) -> Option<Replica> {
        let rest = self.user_agent.strip_suffix(')')?;
        let (_, identity) = rest.rsplit_once('(')?;
        // Other clients end in "(linux/amd64)" and the like; identities are "<pod>_<uuid>".
        identity.contains('_').then(|| Replica(identity.to_owned()))
    }
}

/// The answered requests of a run.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    /// In the order of the file.
    pub events: Vec<AuditEvent>,
    /// Lines that could not be read. The last line of a killed API server may be torn.
    pub malformed: u64,
}

impl AuditLog {
    /// Reads a log in the JSON format of `--audit-log-path`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_file(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        Ok(Self::read_str(&String::from_utf8_lossy(&bytes)))
    }

    /// Reads a log from text.
    pub fn read_str(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Wire>(line) {
                Ok(wire) if wire.stage == "ResponseComplete" || wire.stage == "Panic" => {
                    log.events.push(wire.into());
                }
                Ok(_) => {}
                Err(_) => log.malformed += 1,
            }
        }
        log
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    stage: String,
    verb: String,
    user: WireUser,
    impersonated_user: Option<WireUser>,
    #[serde(default)]
    user_agent: String,
    #[serde(default, rename = "requestURI")]
    uri: String,
    #[serde(default)]
    object_ref: WireObject,
    #[serde(default)]
    response_status: WireStatus,
    request_received_timestamp: jiff::Timestamp,
    stage_timestamp: jiff::Timestamp,
}

#[derive(Deserialize)]
struct WireUser {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireObject {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireStatus {
    code: u16,
}

impl From<Wire> for AuditEvent {
    fn from(wire: Wire) -> Self {
        Self {
            verb: wire.verb,
            user: wire.impersonated_user.unwrap_or(wire.user).username,
            user_agent: wire.user_agent,
            uri: wire.uri,
            group: wire.object_ref.api_group,
            resource: wire.object_ref.resource,
            subresource: wire.object_ref.subresource,
            namespace: wire.object_ref.namespace,
            name: wire.object_ref.name,
            received: Moment::from_wall(wire.request_received_timestamp),
            answered: Moment::from_wall(wire.stage_timestamp),
            code: wire.response_status.code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kube-apiserver 1.37.2 writes it at level Metadata.
    const LINE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"x","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/default/statefulsets/m1?fieldManager=memcached-operator&force=true","verb":"patch","user":{"username":"replica-1","groups":["memcached-operators","system:authenticated"]},"sourceIPs":["127.0.0.1"],"userAgent":"memcached-operator/0.1.0 (memcached-operator-1_0b6c)","objectRef":{"resource":"statefulsets","namespace":"default","name":"m1","apiGroup":"apps","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestReceivedTimestamp":"2026-01-01T00:00:01.000250Z","stageTimestamp":"2026-01-01T00:00:01.004000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

    #[test]
    fn a_line_of_the_api_server_is_read() {
        let log = AuditLog::read_str(&format!("{LINE}\n{}", &LINE[..50]));
        assert_eq!(log.malformed, 1);
        let event = &log.events[0];
        assert!(event.is_write() && event.is_accepted() && !event.is_dry_run());
        assert_eq!(
            (event.group.as_str(), event.resource.as_str(), event.name.as_str()),
            ("apps", "statefulsets", "m1")
        );
        assert_eq!(event.replica(), Some(Replica("memcached-operator-1_0b6c".into())));
        assert_eq!(event.answered.since(event.received).as_micros(), 3_750);
    }

    #[test]
    fn other_clients_are_no_replicas() {
        let mut event = AuditLog::read_str(LINE).events.remove(0);
        event.user_agent = "kubectl/v1.37.2 (linux/amd64) kubernetes/abc".into();
        assert_eq!(event.replica(), None);
        event.user_agent = "demo (linux/amd64)".into();
        assert_eq!(event.replica(), None);
    }
}
