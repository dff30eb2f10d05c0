//! Writes a ConfigMap for each {{kind}}.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{CustomResource, ResourceExt, api::ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shard_router::{Action, Connection, Held, HeldError, Options, Sharded, ShardedApp};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "{{group}}", version = "v1", kind = "{{kind}}", namespaced, status = "{{kind}}Status")]
pub struct {{kind}}Spec {
    /// The content of the ConfigMap.
    pub content: String,
}

/// What the operator reports.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct {{kind}}Status {
    /// The generation of the spec that has been applied.
    pub observed_generation: Option<i64>,
}

impl Sharded for {{kind}} {}

/// The operator, which does nothing until [`ShardedApp::run`] is awaited.
pub fn app(connection: impl Into<Connection>, options: Options) -> ShardedApp {
    let mut app = ShardedApp::new(connection, options);
    app.controller::<{{kind}}>().owns::<ConfigMap>().run(reconcile);
    app
}

async fn reconcile(resource: Arc<{{kind}}>, held: Held) -> Result<Action, HeldError> {
    let config_map = ConfigMap {
        metadata: ObjectMeta { name: Some(resource.name_any()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("content".to_owned(), resource.spec.content.clone())])),
        ..ConfigMap::default()
    };
    // No request is sent if it is as wanted.
    held.apply_owned(&*resource, config_map).await?;
    held.patch_status(&*resource, json!({"observedGeneration": resource.metadata.generation})).await?;
    Ok(Action::requeue(Duration::from_secs(300)))
}
