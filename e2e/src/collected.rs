//! What the run leaves behind: the records in the Pods' logs, the logs themselves, and the API server's audit log.

mod api;
mod audit;
mod cri;
mod nodes;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use overlap_checker::AuditLog;
use overlap_checker::records::{RecordLog, Replica};
use serde::Serialize;

use crate::cluster::Cluster;
use api::Followers;
use audit::AuditReader;
use cri::LogFile;

pub(crate) use audit::{LeaseChange, LeaseChanged};
pub(crate) use nodes::keep;

/// Everything gathered so far.
pub(crate) struct Collected {
    dir: PathBuf,
    files: BTreeMap<PathBuf, LogFile>,
    /// The records of every operator process that ever ran.
    pub(crate) records: RecordLog,
    /// The namespace that each process ran in.
    pub(crate) namespace_of: HashMap<Replica, String>,
    /// What the API server accepted; none where its log is out of reach.
    pub(crate) audit: Option<AuditLog>,
    /// The users that stand for one Pod each.
    pub(crate) users: BTreeMap<String, String>,
    /// The Leases that Pods created and deleted, in order.
    pub(crate) lease_changes: Vec<LeaseChange>,
    audit_reader: AuditReader,
    followers: Option<Followers>,
}

/// How much was gathered.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Gathered {
    /// Log files, one for each run of each container.
    pub(crate) containers: usize,
    /// Lines of record.
    pub(crate) records: u64,
    /// Other lines.
    pub(crate) log_lines: u64,
    /// Lines of the audit log.
    pub(crate) audit_lines: u64,
    /// Files that were rotated away, of which lines may be missing.
    pub(crate) rotated: usize,
}

impl Collected {
    /// Begins to keep what Pods write, from here on.
    pub(crate) async fn start(cluster: &Cluster, dir: &Path) -> Result<Self> {
        let dir = dir.join("logs");
        std::fs::create_dir_all(&dir).with_context(|| format!("{} could not be made", dir.display()))?;
        for node in &cluster.nodes {
            nodes::keep(node).await?;
        }
        let followers = cluster.nodes.is_empty().then(|| Followers::start(cluster.client.clone(), &dir));
        Ok(Self {
            files: BTreeMap::new(),
            records: RecordLog::default(),
            namespace_of: HashMap::new(),
            audit: None,
            users: BTreeMap::new(),
            lease_changes: Vec::new(),
            audit_reader: AuditReader::new(dir.join("audit.jsonl")),
            followers,
            dir,
        })
    }

    /// Reads what was written since the last time. The audit log comes first: the records then explain every write that
    /// was read, whatever is still running.
    pub(crate) async fn gather(&mut self, cluster: &Cluster) -> Result<()> {
        let (users, changes) = (&mut self.users, &mut self.lease_changes);
        self.audit_reader.read(cluster, &mut self.audit, users, changes).await?;
        for node in &cluster.nodes {
            nodes::fetch(node, &self.dir).await?;
        }
        if let Some(followers) = &mut self.followers {
            followers.flush()?;
        }
        for path in log_files(&self.dir)? {
            let file = self.files.entry(path.clone()).or_default();
            let text = file.read(&path).with_context(|| format!("{} could not be read", path.display()))?;
            let before = self.records.records.len();
            self.records.read_str(&path.display().to_string(), &text);
            let namespace = namespace(&path);
            for record in &self.records.records[before..] {
                self.namespace_of.entry(record.replica.clone()).or_insert_with(|| namespace.clone());
            }
        }
        Ok(())
    }

    pub(crate) fn gathered(&self) -> Gathered {
        let rotated = |path: &&PathBuf| path.extension().is_none_or(|extension| extension != "log");
        Gathered {
            containers: self.files.len(),
            records: self.records.tally.lines,
            log_lines: self.files.values().map(|file| file.other_lines).sum(),
            audit_lines: self.audit_reader.lines,
            rotated: self.files.keys().filter(rotated).count(),
        }
    }
}

/// Everything below `<node>/<namespace>_<pod>_<uid>/<container>/`.
fn log_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = waiting.pop() {
        for entry in
            std::fs::read_dir(&dir).with_context(|| format!("{} could not be read", dir.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push((path, depth + 1));
            } else if depth == 3 {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The namespace in a path such as `worker/shop_sessions-0_uid/memcached/0.log`.
fn namespace(path: &Path) -> String {
    let pod = path.parent().and_then(Path::parent).and_then(Path::file_name).unwrap_or_default();
    pod.to_string_lossy().split('_').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_in_the_path() {
        assert_eq!(namespace(Path::new("/x/worker/shop_sessions-0_1-2/memcached/0.log")), "shop");
    }
}
