//! The Memcached resources: how they are made, and how far the replicas are with them.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::reflector::{self, Store, store::Writer};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt};
use overlap_checker::CreatedCr;
use overlap_checker::records::{CrKey, Stamp, Uid};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

/// How many are created at once.
const AT_ONCE: usize = 16;

/// Creates `count` resources and notes when each was there.
pub(super) async fn create(client: &Client, namespace: &str, count: u32) -> Result<Vec<CreatedCr>> {
    let api = memcacheds(client, namespace);
    let created = stream::iter((0..count).map(|number| create_one(&api, namespace, number)));
    created.buffer_unordered(AT_ONCE).try_collect().await
}

/// All resources as a watch shows them: to list them again and again would keep both ends busy with nothing else.
pub(super) struct Watched {
    store: Store<DynamicObject>,
    _task: AbortOnDropHandle<()>,
}

impl Watched {
    /// Starts to watch; ends when it is dropped.
    pub(super) fn start(client: &Client, namespace: &str) -> Self {
        let writer = Writer::new(api_resource());
        let store = writer.as_reader();
        let events = watcher(memcacheds(client, namespace), watcher::Config::default());
        // Errors are tried again; what is missing meanwhile shows as not reconciled.
        let seen = reflector::reflector(writer, events.default_backoff()).for_each(|_| async {});
        Self { store, _task: AbortOnDropHandle::new(tokio::spawn(seen)) }
    }

    /// How many have been reconciled in their present generation, as their status says.
    pub(super) fn reconciled(&self) -> usize {
        self.store.state().iter().filter(|object| is_reconciled(object)).count()
    }
}

fn is_reconciled(object: &DynamicObject) -> bool {
    let observed = object.data["status"]["observedGeneration"].as_i64();
    observed.is_some() && observed == object.metadata.generation
}

async fn create_one(api: &Api<DynamicObject>, namespace: &str, number: u32) -> Result<CreatedCr> {
    let name = format!("cache-{number:04}");
    let object = json!({
        "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached",
        "metadata": {"name": name}, "spec": {"replicas": 1 + number % 3}
    });
    let object = serde_json::from_value(object).context("the resource is not what it should be")?;
    let created = api.create(&PostParams::default(), &object).await;
    let created = created.with_context(|| format!("Memcached {name} could not be created"))?;
    Ok(CreatedCr {
        cr: CrKey::new(namespace, name),
        uid: created.uid().map(Uid),
        created: Stamp::now().context("the boot clock could not be read")?,
        deleted: None,
    })
}

fn memcacheds(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &api_resource())
}

fn api_resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("cache.example.com", "v1alpha1", "Memcached");
    ApiResource::from_gvk_with_plural(&kind, "memcacheds")
}
