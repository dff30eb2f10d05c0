//! The logs of all Pods through the API server, for clusters whose nodes are out of reach.
//!
//! Each container is followed from its start. What a container writes between the last byte read and the deletion of its Pod
//! can be lost when the connection breaks at that moment; on a kind cluster nothing can.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

/// How often new containers are looked for.
const EVERY: Duration = Duration::from_millis(500);

/// Follows every container of the namespaces that the drills use.
pub(super) struct Followers {
    looking: JoinHandle<()>,
    files: Files,
}

type Files = Arc<Mutex<HashMap<PathBuf, File>>>;

impl Followers {
    pub(super) fn start(client: Client, dir: &Path) -> Self {
        let files = Files::default();
        let looking = tokio::spawn(look(client, dir.join("api"), files.clone()));
        Self { looking, files }
    }

    /// Hands on what was written so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        for file in self.files.lock().values_mut() {
            file.flush()?;
        }
        Ok(())
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

async fn look(client: Client, dir: PathBuf, files: Files) {
    let mut followed = BTreeSet::new();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await;
        for pod in pods.into_iter().flatten() {
            let namespace = pod.namespace().unwrap_or_default();
            if !crate::cluster::is_ours(&namespace) {
                continue;
            }
            let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            for status in statuses.filter(|status| has_run(status)) {
                let uid = pod.uid().unwrap_or_default();
                let name = format!(
                    "{namespace}_{}_{uid}/{}/{}.log",
                    pod.name_any(),
                    status.name,
                    status.restart_count
                );
                if followed.insert(name.clone()) {
                    let api = Api::namespaced(client.clone(), &namespace);
                    tasks.spawn(follow(
                        api,
                        pod.name_any(),
                        status.name.clone(),
                        dir.join(name),
                        files.clone(),
                    ));
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn has_run(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// Writes what a container writes, in the form of the kubelet's files, until it has ended.
async fn follow(pods: Api<Pod>, pod: String, container: String, path: PathBuf, files: Files) {
    let params =
        LogParams { container: Some(container), follow: true, timestamps: true, ..LogParams::default() };
    let Ok(stream) = pods.log_stream(&pod, &params).await else { return };
    let mut lines = stream.lines();
    while let Ok(Some(line)) = lines.try_next().await {
        let (time, text) = line.split_once(' ').unwrap_or((&line, ""));
        let mut files = files.lock();
        let Ok(file) = opened(&mut files, &path) else { return };
        if writeln!(file, "{time} stdout F {text}").is_err() {
            return;
        }
    }
}

fn opened<'a>(files: &'a mut HashMap<PathBuf, File>, path: &Path) -> std::io::Result<&'a mut File> {
    if !files.contains_key(path) {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        files.insert(path.to_owned(), OpenOptions::new().create(true).append(true).open(path)?);
    }
    files.get_mut(path).ok_or_else(|| std::io::Error::other("it was just put there"))
}
