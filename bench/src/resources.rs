//! The resources of a run: made, edited, and compared.

use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// Where they are.
pub(crate) const NAMESPACE: &str = "bench";

/// How many writes of the users are under way at once.
const AT_ONCE: usize = 16;
const SERVERS: i32 = 3;
/// What an edit changes; the definition's default is 1024.
const CONNECTIONS: i32 = 1536;

/// Resources that were made together.
pub(crate) struct Resources {
    /// Their names, and the generation that is to be acted on.
    pub(crate) generations: Vec<(String, i64)>,
    /// Just before the first of them was made.
    pub(crate) begun: Instant,
}

impl Resources {
    /// Makes so many, as fast as they are accepted.
    pub(crate) async fn create(
        client: &Client,
        kind: &ApiResource,
        prefix: &str,
        count: u32,
    ) -> Result<Self> {
        let api = api(client, kind);
        let begun = Instant::now();
        let generations = stream::iter(0..count).map(|number| {
            let (api, name) = (&api, format!("{prefix}-{number:05}"));
            async move {
                let mut new = DynamicObject::new(&name, kind);
                new.data = json!({"spec": {"replicas": SERVERS}});
                let made = api.create(&PostParams::default(), &new).await;
                let made = made.with_context(|| format!("{name} could not be made"))?;
                generation(&made).map(|generation| (name, generation))
            }
        });
        let generations = generations.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Self { generations, begun })
    }

    /// Changes one field of each.
    pub(crate) async fn edit(&mut self, client: &Client, kind: &ApiResource) -> Result<()> {
        let api = &api(client, kind);
        let patch = json!({"spec": {"maxConnections": CONNECTIONS}});
        let patch = &Patch::Merge(&patch);
        let edits = stream::iter(&mut self.generations).map(|(name, newest)| async move {
            let edited = api.patch(name, &PatchParams::default(), patch).await;
            *newest = generation(&edited.with_context(|| format!("{name} could not be edited"))?)?;
            anyhow::Ok(())
        });
        edits.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The specs of the children of the first resource, to compare operators by.
    pub(crate) async fn children(&self, client: &Client) -> Result<Value> {
        let (name, _) = self.generations.iter().min().context("there are no resources")?;
        let kinds = [("v1", "Service"), ("policy/v1", "PodDisruptionBudget"), ("apps/v1", "StatefulSet")];
        let mut children = serde_json::Map::new();
        for (version, kind) in kinds {
            let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
            let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind));
            let child = api(client, &resource).get(name).await;
            let child = child.with_context(|| format!("{kind} {name} could not be read"))?;
            children.insert(kind.to_owned(), content(child));
        }
        Ok(children.into())
    }
}

/// What an operator has a say in, without what differs from run to run and the label by which ours shards.
fn content(child: DynamicObject) -> Value {
    let mut labels = child.metadata.labels.unwrap_or_default();
    labels.remove("cache.example.com/bucket");
    let owners = child.metadata.owner_references.unwrap_or_default();
    let owners: Vec<String> =
        owners.into_iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect();
    json!({"labels": labels, "owners": owners, "spec": child.data["spec"]})
}

fn api(client: &Client, kind: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), NAMESPACE, kind)
}

fn generation(object: &DynamicObject) -> Result<i64> {
    object.metadata.generation.context("the API server returned no generation")
}
