//! Writes an entry for each Record into a ConfigMap of another namespace, where no owner reference reaches, sharded. A finalizer removes it.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, CustomResource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::finalizer::{Error as FinalizerError, Event, finalizer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shard_router::{Action, Held, Options, Sharded, ShardedApp};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "examples.dev", version = "v1", kind = "Record", namespaced)]
pub(crate) struct RecordSpec {
    pub(crate) address: String,
}

impl Sharded for Record {}

async fn reconcile(record: Arc<Record>, held: Held) -> Result<Action, FinalizerError<kube::Error>> {
    let client = held.client();
    let namespace = record.namespace().unwrap_or_default();
    let records: Api<Record> = Api::namespaced(client.clone(), &namespace);
    let zone: Api<ConfigMap> = Api::namespaced(client, "dns");
    finalizer(&records, "examples.dev/zone", record, |event| async {
        let (record, address) = match event {
            Event::Apply(record) => (record.clone(), Some(record.spec.address.clone())),
            Event::Cleanup(record) => (record, None),
        };
        let entry = format!("{}.{namespace}", record.name_any());
        let patch = json!({"data": {entry: address}});
        zone.patch("zone", &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(Action::requeue(Duration::from_secs(300)))
    })
    .await
}

/// Runs until `shutdown` resolves.
pub(crate) async fn run(
    client: Client,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let mut app = ShardedApp::new(client, options);
    app.controller::<Record>().run(reconcile);
    Ok(app.run(shutdown).await?)
}
