//! Users who edit resources at a steady rate, and how long each edit waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use overlap_checker::records::BootTime;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::reconciles::Reconciled;
use crate::resources::NAMESPACE;

/// An edit that the API server has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// `namespace/name`.
    pub(crate) cr: String,
    /// Which generation it made.
    pub(crate) generation: i64,
    /// When its answer had arrived.
    pub(crate) at: BootTime,
}

/// Edits until it is told to end.
pub(crate) struct Editor {
    made: Arc<Mutex<Vec<Edit>>>,
    end: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Editor {
    pub(crate) fn start(client: Client, kind: &ApiResource, names: Vec<String>, per_second: u32) -> Self {
        let made = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = oneshot::channel();
        let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, kind);
        let task = tokio::spawn(edit_until(ended, api, names, per_second, made.clone()));
        Self { made, end, task }
    }

    /// All edits that were made.
    pub(crate) async fn end(self) -> Result<Vec<Edit>> {
        // If the task has ended by itself, its result says why.
        let _ = self.end.send(());
        self.task.await.context("the task that edits resources ended")??;
        let made = self.made.lock().clone();
        Ok(made)
    }
}

async fn edit_until(
    mut ended: oneshot::Receiver<()>,
    api: Api<DynamicObject>,
    names: Vec<String>,
    per_second: u32,
    made: Arc<Mutex<Vec<Edit>>>,
) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut running = JoinSet::new();
    // Each edit makes another generation, as its value is another one.
    for number in 0_u32.. {
        tokio::select! {
            _ = &mut ended => break,
            _ = ticks.tick() => {}
        }
        let (api, made, name) = (api.clone(), made.clone(), names[scattered(number, names.len())].clone());
        running.spawn(async move {
            let patch = json!({"spec": {"maxConnections": 1025 + number}});
            let edited = api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await;
            let edited = edited.with_context(|| format!("{name} could not be edited"))?;
            let generation = edited.metadata.generation.context("the API server returned no generation")?;
            made.lock().push(Edit { cr: format!("{NAMESPACE}/{name}"), generation, at: BootTime::now() });
            anyhow::Ok(())
        });
    }
    while let Some(edited) = running.join_next().await {
        edited.context("an edit ended")??;
    }
    Ok(())
}

/// Neighbours in time are no neighbours by name.
fn scattered(number: u32, of: usize) -> usize {
    (number as usize).wrapping_mul(7919) % of
}

/// How long each edit waited: from its answer to the end of the first reconcile that began with its generation or a later one in sight; `None` if there is
/// none yet.
pub(crate) fn waits(edits: &[Edit], all: &[Reconciled]) -> Vec<Option<Duration>> {
    let mut of_resource: HashMap<&str, Vec<&Reconciled>> = HashMap::new();
    for one in all {
        of_resource.entry(&one.cr).or_default().push(one);
    }
    let wait = |edit: &Edit| {
        let reconciles = of_resource.get(edit.cr.as_str())?;
        let seen = reconciles.iter().filter(|one| one.generation.is_some_and(|seen| seen >= edit.generation));
        let end = seen.map(|one| one.boot_ns).min()?;
        Some(BootTime(end).since(edit.at))
    };
    edits.iter().map(wait).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_waits_for_a_reconcile_that_has_seen_it() {
        let edit = |generation, at| Edit { cr: "n/x".into(), generation, at: BootTime(at) };
        let reconciled = |generation, boot_ns| Reconciled {
            generation: Some(generation),
            ..Reconciled::test("a", "n/x", boot_ns)
        };
        let all = [reconciled(2, 150), reconciled(4, 190), reconciled(4, 170)];
        let edits = [edit(2, 100), edit(3, 120), edit(4, 180), edit(5, 200)];
        let nanos = |nanos| Some(Duration::from_nanos(nanos));
        assert_eq!(waits(&edits, &all), [nanos(50), nanos(50), nanos(0), None]);
    }

    #[test]
    fn all_resources_are_edited_in_turn() {
        let mut hit: Vec<_> = (0..3000).map(|number| scattered(number, 3000)).collect();
        hit.sort_unstable();
        assert!(hit.into_iter().eq(0..3000));
    }
}
