//! The Memcached resources of the drills, and whether all of them are as asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use memcached_operator::crd::{Memcached, MemcachedSpec};
use overlap_checker::CreatedCr;
use overlap_checker::records::{CrKey, Stamp, Uid};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::wait::{WaitStatus, until};

/// Where they are.
pub(crate) const NAMESPACE: &str = "e2e-caches";

/// Requests at once.
const AT_ONCE: usize = 16;

/// The resources that exist, and those that did.
#[derive(Clone)]
pub(crate) struct Resources {
    api: Api<Memcached>,
    sets: Api<StatefulSet>,
    history: Arc<Mutex<BTreeMap<String, CreatedCr>>>,
    /// Held by whoever edits, for one edit, and by whoever waits for edits to take effect.
    editing: Arc<tokio::sync::Mutex<()>>,
}

impl Resources {
    pub(crate) fn new(client: &Client) -> Self {
        Self {
            api: Api::namespaced(client.clone(), NAMESPACE),
            sets: Api::namespaced(client.clone(), NAMESPACE),
            history: Arc::default(),
            editing: Arc::default(),
        }
    }

    /// Everything that was created, for the checker.
    pub(crate) fn history(&self) -> Vec<CreatedCr> {
        self.history.lock().values().cloned().collect()
    }

    /// Creates resources, several at once.
    pub(crate) async fn create(
        &self,
        wanted: impl IntoIterator<Item = (String, MemcachedSpec)>,
    ) -> Result<()> {
        stream::iter(wanted.into_iter().map(Ok))
            .try_for_each_concurrent(
                AT_ONCE,
                |(name, spec)| async move { self.create_one(&name, spec).await },
            )
            .await
    }

    async fn create_one(&self, name: &str, spec: MemcachedSpec) -> Result<()> {
        let memcached = Memcached {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            spec,
            status: None,
        };
        let created = self.api.create(&PostParams::default(), &memcached).await;
        let created = created.with_context(|| format!("the Memcached {name} could not be created"))?;
        let entry = CreatedCr {
            cr: CrKey::new(NAMESPACE, name),
            uid: created.uid().map(Uid),
            created: Stamp::now()?,
            deleted: None,
        };
        self.history.lock().insert(created.uid().unwrap_or_default(), entry);
        Ok(())
    }

    /// Changes a resource as `kubectl patch` does.
    pub(crate) async fn patch(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let patched = self.api.patch(name, &PatchParams::default(), &patch).await;
        patched.with_context(|| format!("the Memcached {name} could not be changed")).map(|_| ())
    }

    /// Deletes all resources whose name begins so, and waits until they are gone.
    pub(crate) async fn delete(&self, prefix: &str, within: Duration) -> Result<()> {
        let all = self.api.list(&ListParams::default()).await?;
        let names: Vec<_> =
            all.iter().map(ResourceExt::name_any).filter(|name| name.starts_with(prefix)).collect();
        let now = Stamp::now()?;
        for entry in self.history.lock().values_mut() {
            if entry.cr.name.starts_with(prefix) && entry.deleted.is_none() {
                entry.deleted = Some(now.clone());
            }
        }
        stream::iter(&names)
            .for_each_concurrent(AT_ONCE, |name| async move {
                // What is already gone need not be deleted; what stays is noticed below.
                let _ = self.api.delete(name, &DeleteParams::background()).await;
            })
            .await;
        until(&format!("the Memcached {prefix}… to be gone"), within, || async {
            let left = self.api.list_metadata(&ListParams::default()).await?;
            let left = left.iter().filter(|one| one.name_any().starts_with(prefix)).count();
            // The collector of garbage has one queue: what is left there would hold up the next drill.
            let sets = self.sets.list_metadata(&ListParams::default()).await?;
            let sets = sets.iter().filter(|one| one.name_any().starts_with(prefix)).count();
            Ok(WaitStatus::when(left + sets == 0, || {
                format!("{left} and {sets} StatefulSets are still there")
            }))
        })
        .await
    }

    /// Waits until every resource is as asked for: observed, and with as many ready servers as wanted. Nobody edits meanwhile:
    /// to keep up with edits is more than is promised.
    pub(crate) async fn converged(&self, within: Duration) -> Result<usize> {
        let _nobody_edits = self.editing.lock().await;
        let count = until("every Memcached to be as asked for", within, || async {
            let (all, unfinished) = self.unfinished().await?;
            if unfinished.is_empty() {
                return Ok(WaitStatus::Done(all));
            }
            let first: Vec<_> = unfinished.iter().take(3).map(String::as_str).collect();
            Ok(WaitStatus::NotYet(format!(
                "{} of {all} are not, such as {}",
                unfinished.len(),
                first.join(", ")
            )))
        });
        match count.await? {
            0 => bail!("there is no Memcached, so nothing has converged"),
            count => Ok(count),
        }
    }

    async fn unfinished(&self) -> Result<(usize, Vec<String>)> {
        let all = self.api.list(&ListParams::default()).await.context("the Memcached could not be listed")?;
        let unfinished = all.iter().filter_map(|one| Some(format!("{} ({})", one.name_any(), missing(one)?)));
        Ok((all.items.len(), unfinished.collect()))
    }
}

/// What a resource still lacks.
fn missing(memcached: &Memcached) -> Option<String> {
    let Some(status) = &memcached.status else { return Some("no status".to_owned()) };
    if status.observed_generation != memcached.metadata.generation {
        return Some("its last change is not observed".to_owned());
    }
    let wanted = memcached.spec.replicas;
    if status.ready_replicas != wanted || status.replicas != wanted {
        return Some(format!("{} of {wanted} servers ready", status.ready_replicas));
    }
    let condition = |kind: &str| status.conditions.iter().find(|condition| condition.type_ == kind);
    let still = condition("Reconciling").filter(|condition| condition.status == "True");
    let still = still.or_else(|| condition("Degraded").filter(|condition| condition.status == "True"));
    still.map(|condition| format!("{}: {}", condition.type_, condition.message))
}

/// The memcached servers that run, with their nodes.
pub(crate) async fn servers(client: &Client) -> Result<Vec<(String, String)>> {
    let params = ListParams::default().labels("cache.example.com/memcached");
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE).list(&params).await?;
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    Ok(pods.iter().map(|pod| (pod.name_any(), node(pod))).collect())
}

/// A resource that asks for no servers: work for the operator alone.
pub(crate) fn empty() -> MemcachedSpec {
    MemcachedSpec {
        replicas: 0,
        memory_limit_megabytes: 64,
        max_connections: 1024,
        threads: 1,
        ..MemcachedSpec::default()
    }
}

/// A resource with real servers, small ones.
pub(crate) fn served(replicas: i32, image: &str) -> MemcachedSpec {
    MemcachedSpec {
        replicas,
        image: Some(image.to_owned()),
        memory_limit_megabytes: 16,
        max_connections: 64,
        threads: 1,
        ..MemcachedSpec::default()
    }
}

/// Goes on changing resources, so that the operator has work while things happen to it.
pub(crate) async fn keep_editing(resources: Resources, count: u32, every: Duration) {
    let mut connections = 1024;
    let numbers = stream::iter((0..count).cycle());
    numbers
        .for_each(|number| {
            connections += 1;
            let connections = connections;
            let resources = &resources;
            async move {
                let one_edit = resources.editing.lock().await;
                // The API server may be out of reach for a moment: that is what some drills are about.
                let _ = resources
                    .patch(&format!("base-{number}"), json!({ "maxConnections": connections }))
                    .await;
                drop(one_edit);
                tokio::time::sleep(every).await;
            }
        })
        .await;
}
