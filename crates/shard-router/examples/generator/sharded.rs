//! Writes a ConfigMap for each Generator, sharded.

use std::{collections::BTreeMap, error::Error, future::Future, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, CustomResource, ResourceExt, api::ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shard_router::{Action, ApplyError, Held, Options, Sharded, ShardedApp};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "examples.dev", version = "v1", kind = "Generator", namespaced)]
pub(crate) struct GeneratorSpec {
    pub(crate) content: String,
}

impl Sharded for Generator {}

async fn reconcile(generator: Arc<Generator>, held: Held) -> Result<Action, ApplyError> {
    let name = generator.name_any();
    let config_map = ConfigMap {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("content".to_owned(), generator.spec.content.clone())])),
        ..ConfigMap::default()
    };
    held.apply_owned(&*generator, config_map).await?;
    Ok(Action::requeue(Duration::from_secs(300)))
}

/// Runs until `shutdown` resolves.
pub(crate) async fn run(
    client: Client,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let mut app = ShardedApp::new(client, options);
    app.controller::<Generator>().owns::<ConfigMap>().run(reconcile);
    Ok(app.run(shutdown).await?)
}
