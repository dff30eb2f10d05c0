//! Runs whose replicas leave records, on an API server that leaves an audit log. The overlap checker judges both.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]
#![allow(dead_code, reason = "not every test program that shares this file needs all of it")]

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use embedded_apiserver::EmbeddedServer;
use kube::{CustomResource, CustomResourceExt};
use overlap_checker::{
    AuditLog, Fault, JudgedResource, Observations, Rules, Verdict, judge, records::RecordLog,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shard_router::{RecordSink, Sharded, ShardedApp};

use crate::{
    blackhole::Blackhole,
    clock::VirtualSeams,
    harness::{Harness, NAMESPACE},
    widget::Widget,
};

/// In no namespace.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.shard-router.dev", version = "v1", kind = "Tenant", status = "TenantStatus")]
pub(crate) struct TenantSpec {}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub(crate) struct TenantStatus {
    /// Who reconciled it last.
    pub(crate) by: Option<String>,
}

impl Sharded for Tenant {}

/// In no namespace, and owned by a tenant.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.shard-router.dev", version = "v1", kind = "Quota")]
pub(crate) struct QuotaSpec {}

/// Lines that replicas or the API server write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RecordSink for Lines {
    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.lock().unwrap().extend(line.bytes().chain([b'\n']));
        Ok(())
    }
}

/// What is observed of one run.
pub(crate) struct Run {
    pub(crate) harness: Harness,
    pub(crate) records: Lines,
    audit: Lines,
}

impl Run {
    pub(crate) async fn new() -> Self {
        let audit = Lines::default();
        let server = EmbeddedServer::new(VirtualSeams::default()).with_audit_log(audit.clone());
        let harness = Harness::on(server, [&Widget::crd(), &Tenant::crd(), &Quota::crd()]).await;
        Self { harness, records: Lines::default(), audit }
    }

    /// A replica that watches one namespace, whose kinds are not declared yet.
    pub(crate) fn app(&self, pod: &str, shards: u16) -> (Blackhole, ShardedApp) {
        let records: Arc<dyn RecordSink> = Arc::new(self.records.clone());
        let mut options = self.harness.options(pod, shards);
        options.resync = None;
        self.harness.app(options.with_watch_namespaces([NAMESPACE]).with_records(records))
    }

    pub(crate) fn lines(&self) -> usize {
        self.records.text().lines().count()
    }

    /// What this replica has reconciled from this line of the records on.
    pub(crate) fn reconciled_by(&self, pod: &str, from: usize) -> BTreeSet<String> {
        let text = self.records.text();
        let lines = text.lines().skip(from).map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ends = lines.filter(|line| line["record"] == "end" && line["outcome"] == "ok");
        let of_pod = ends.filter(|line| line["replica"].as_str().unwrap().starts_with(pod));
        of_pod.map(|line| line["cr"].as_str().unwrap().to_owned()).collect()
    }

    /// The same where these replicas were seen dead, and requests may be on their way for so long.
    pub(crate) fn judge_with(
        &self,
        judged: Vec<JudgedResource>,
        ended: Vec<Fault>,
        transit: Duration,
    ) -> Verdict {
        let mut records = RecordLog::default();
        records.read_str("memory", &self.records.text());
        let audit = Some(AuditLog::read_str(&self.audit.text()));
        let mut rules = Rules { transit, ..Rules::default() };
        rules.writes.judged = judged;
        judge(&Observations { records, audit, ended, ..Observations::default() }, &rules)
    }

    // ANCHOR: judge
    pub(crate) fn judge(&self, judged: Vec<JudgedResource>) -> Verdict {
        let mut records = RecordLog::default();
        records.read_str("memory", &self.records.text());
        let audit = Some(AuditLog::read_str(&self.audit.text()));
        let mut rules = Rules::default();
        rules.writes.judged = judged;
        judge(&Observations { records, audit, ..Observations::default() }, &rules)
    }
    // ANCHOR_END: judge
}
