//! The Memcached resources.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use kube_testkit::checker::CreatedCr;
use kube_testkit::records::{CrKey, Stamp, Uid};
use serde_json::json;

/// How many are created at once.
const AT_ONCE: usize = 16;

/// Creates `count` resources and notes when each was there.
pub(super) async fn create(client: &Client, namespace: &str, count: u32) -> Result<Vec<CreatedCr>> {
    let api = memcacheds(client, namespace);
    let created = stream::iter((0..count).map(|number| create_one(&api, namespace, number)));
    created.buffer_unordered(AT_ONCE).try_collect().await
}

/// How many resources have been reconciled in their present generation, as their status says.
pub(super) async fn reconciled(client: &Client, namespace: &str) -> Result<usize> {
    let params = ListParams::default().match_any();
    let all =
        memcacheds(client, namespace).list(&params).await.context("the resources could not be listed")?;
    let up_to_date = |object: &&DynamicObject| {
        let observed = object.data["status"]["observedGeneration"].as_i64();
        observed.is_some() && observed == object.metadata.generation
    };
    Ok(all.items.iter().filter(up_to_date).count())
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
    let kind = GroupVersionKind::gvk("cache.example.com", "v1alpha1", "Memcached");
    let resource = ApiResource::from_gvk_with_plural(&kind, "memcacheds");
    Api::namespaced_with(client.clone(), namespace, &resource)
}
