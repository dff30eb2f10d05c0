//! A stand-in for the part of Kubernetes that makes `StatefulSet`s ready.

use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinHandle;

/// Plays the readiness of `StatefulSet`s where neither a controller-manager nor a kubelet runs.
///
/// It **stands in** for both: it watches `StatefulSet`s and writes the status that they would have once all pods of the
/// present generation are ready. There are no pods, no rolling updates, no failures. Use it only with control planes of
/// this crate; on a real cluster it would fight the real controller.
///
/// It belongs to the runtime within which it was started, and ends when it is dropped.
#[derive(Debug)]
#[must_use = "the stand-in ends when it is dropped; keep it for as long as StatefulSets are to become ready"]
pub struct WorkloadStandIn {
    task: JoinHandle<()>,
}

impl WorkloadStandIn {
    /// Starts it for all namespaces. `client` must be allowed to watch `StatefulSet`s and to patch their status.
    ///
    /// A status is written `delay` after the `StatefulSet` was seen. With zero, it is ready as soon as it exists.
    pub fn start(client: Client, delay: Duration) -> Self {
        let sets = Api::all(client.clone());
        Self { task: tokio::spawn(run(client, sets, delay)) }
    }

    /// Starts it for one namespace.
    pub fn start_in(client: Client, namespace: &str, delay: Duration) -> Self {
        let sets = Api::namespaced(client.clone(), namespace);
        Self { task: tokio::spawn(run(client, sets, delay)) }
    }
}

impl Drop for WorkloadStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(client: Client, sets: Api<StatefulSet>, delay: Duration) {
    const AT_ONCE: usize = 64;
    let seen = watcher(sets, watcher::Config::default()).default_backoff().applied_objects();
    pin_mut!(seen);
    seen.for_each_concurrent(AT_ONCE, |set| async {
        match set {
            Ok(set) => make_ready(&client, &set, delay).await,
            Err(error) => tracing::warn!(%error, "the workload stand-in lost its watch and starts it again"),
        }
    })
    .await;
}

async fn make_ready(client: &Client, set: &StatefulSet, delay: Duration) {
    const ATTEMPTS: usize = 10;
    const BETWEEN: Duration = Duration::from_millis(200);
    let wanted = ready_status(set);
    if set.status.as_ref() == Some(&wanted) || set.metadata.deletion_timestamp.is_some() {
        return;
    }
    tokio::time::sleep(delay).await;
    let (name, namespace) = (set.name_any(), set.namespace().unwrap_or_default());
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &namespace);
    // The uid keeps it off a successor of the same name; a later generation comes as an event of its own.
    let patch = serde_json::json!({ "metadata": { "uid": set.metadata.uid }, "status": wanted });
    for _ in 0..ATTEMPTS {
        match sets.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => return,
            Err(error) => tracing::debug!(%error, name, namespace, "the workload stand-in tries again"),
        }
        tokio::time::sleep(BETWEEN).await;
    }
    tracing::warn!(name, namespace, "the workload stand-in gave up on a StatefulSet");
}

/// The status once every replica of this generation is ready.
fn ready_status(set: &StatefulSet) -> StatefulSetStatus {
    // By its JSON, because the field is optional in some versions of k8s-openapi and not in others.
    let spec = serde_json::to_value(&set.spec).unwrap_or_default();
    let replicas = spec["replicas"].as_i64().and_then(|replicas| i32::try_from(replicas).ok()).unwrap_or(1);
    let generation = set.metadata.generation.unwrap_or_default();
    let revision = format!("{}-stand-in-{generation}", set.name_any());
    StatefulSetStatus {
        replicas,
        ready_replicas: Some(replicas),
        available_replicas: Some(replicas),
        current_replicas: Some(replicas),
        updated_replicas: Some(replicas),
        observed_generation: Some(generation),
        current_revision: Some(revision.clone()),
        update_revision: Some(revision),
        collision_count: Some(0),
        conditions: None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::StatefulSetSpec;
    use kube::api::ObjectMeta;

    use super::*;

    #[test]
    fn without_a_number_of_replicas_there_is_one() {
        let metadata = ObjectMeta { generation: Some(4), ..ObjectMeta::default() };
        let set = StatefulSet { metadata, spec: Some(StatefulSetSpec::default()), status: None };
        let status = ready_status(&set);
        assert_eq!((status.replicas, status.ready_replicas), (1, Some(1)));
        assert_eq!(status.observed_generation, Some(4));
    }
}
