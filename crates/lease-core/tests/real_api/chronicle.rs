//! Every state that a namespace's Leases go through, and what must not be among them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use lease_core::NOBODY;
use tokio::task::JoinHandle;

use crate::support::now;

/// The watch of the chronicle may be this much later with one state than with another.
const LATENESS: Duration = Duration::from_millis(400);

/// One state of one Lease.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) version: u64,
    pub(crate) gone: bool,
    pub(crate) uid: String,
    pub(crate) spec: LeaseSpec,
}

/// Follows all Leases of a namespace. A watch leaves no state out, so nothing stays hidden.
pub(crate) struct Chronicle {
    entries: Arc<Mutex<BTreeMap<String, Vec<Entry>>>>,
    task: JoinHandle<()>,
}

impl Chronicle {
    pub(crate) async fn of(api: Api<Lease>) -> Self {
        let list = api.list(&ListParams::default()).await.expect("an administrator may list Leases");
        let entries: Arc<Mutex<BTreeMap<String, Vec<Entry>>>> = Arc::default();
        for lease in list.items {
            note(&entries, &lease, false);
        }
        let version = list.metadata.resource_version.expect("a list has a version");
        let into = Arc::clone(&entries);
        let task = tokio::spawn(async move {
            let watch = api.watch(&WatchParams::default(), &version).await.expect("a watch");
            let mut watch = watch.boxed();
            while let Some(event) = watch.next().await {
                match event {
                    Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)) => note(&into, &lease, false),
                    Ok(WatchEvent::Deleted(lease)) => note(&into, &lease, true),
                    _ => return,
                }
            }
        });
        Self { entries, task }
    }

    /// What happened to one Lease so far.
    pub(crate) fn of_lease(&self, name: &str) -> Vec<Entry> {
        self.entries.lock().expect("no panic").get(name).cloned().unwrap_or_default()
    }

    /// Everything that must not have happened, a sentence each.
    pub(crate) fn violations(&self) -> Vec<String> {
        assert!(!self.task.is_finished(), "the chronicle has lost its watch and may have gaps");
        let entries = self.entries.lock().expect("no panic");
        entries
            .iter()
            .flat_map(|(name, entries)| {
                violations(entries).into_iter().map(move |what| format!("{name}: {what}"))
            })
            .collect()
    }
}

impl Drop for Chronicle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(entries: &Mutex<BTreeMap<String, Vec<Entry>>>, lease: &Lease, gone: bool) {
    let version = lease.metadata.resource_version.as_deref().and_then(|version| version.parse().ok());
    let entry = Entry {
        at: now(),
        version: version.expect("an API server sends a version"),
        gone,
        uid: lease.metadata.uid.clone().unwrap_or_default(),
        spec: lease.spec.clone().unwrap_or_default(),
    };
    let name = lease.metadata.name.clone().unwrap_or_default();
    entries.lock().expect("no panic").entry(name).or_default().push(entry);
}

fn violations(entries: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, pair) in entries.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        let (was, is) = (holder(before), holder(after));
        // A Lease that is made again in nobody's name is not taken yet, and carries the number of its holder to come.
        let reserved = i32::from(was == NOBODY);
        if after.gone || is.is_empty() || is == NOBODY || is == was && before.uid == after.uid && !before.gone
        {
            continue;
        }
        // Somebody took it. The last holder's time has to be over, unless it released.
        let free_after = Duration::from_secs(stated(before));
        let last_change = entries[..=index].iter().rev().find(|entry| !entry.gone).unwrap_or(before);
        let waited = after.at.saturating_sub(last_change.at);
        let released = was.is_empty() && stated(before) == 1;
        if !released && waited + LATENESS < free_after {
            found.push(format!(
                "{is} took it at version {} only {waited:?} after the last sign of {was:?}, which had stated {free_after:?}",
                after.version
            ));
        }
        if transitions(after) != transitions(before) + 1 - reserved {
            found.push(format!(
                "{is} took it from {was:?} at version {} and left leaseTransitions at {} where {} was due",
                after.version,
                transitions(after),
                transitions(before) + 1 - reserved
            ));
        }
    }
    found
}

fn holder(entry: &Entry) -> &str {
    entry.spec.holder_identity.as_deref().unwrap_or_default()
}

fn stated(entry: &Entry) -> u64 {
    entry.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default()
}

fn transitions(entry: &Entry) -> i32 {
    entry.spec.lease_transitions.unwrap_or_default()
}
