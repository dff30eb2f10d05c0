//! Writes a ConfigMap for each Generator, with kube-runtime alone.

use std::{collections::BTreeMap, error::Error, future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, CustomResource, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    runtime::{Controller, controller::Action, watcher},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "examples.dev", version = "v1", kind = "Generator", namespaced)]
pub(crate) struct GeneratorSpec {
    pub(crate) content: String,
}

async fn reconcile(generator: Arc<Generator>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let name = generator.name_any();
    let config_map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            owner_references: generator.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("content".to_owned(), generator.spec.content.clone())])),
        ..ConfigMap::default()
    };
    let namespace = generator.namespace().unwrap_or_default();
    let config_maps: Api<ConfigMap> = Api::namespaced((*client).clone(), &namespace);
    config_maps.patch(&name, &PatchParams::apply("generator").force(), &Patch::Apply(&config_map)).await?;
    Ok(Action::requeue(Duration::from_secs(300)))
}

/// Runs until `shutdown` resolves.
pub(crate) async fn run(
    client: Client,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let generators: Api<Generator> = Api::all(client.clone());
    Controller::new(generators, watcher::Config::default())
        .owns(Api::<ConfigMap>::all(client.clone()), watcher::Config::default())
        .graceful_shutdown_on(shutdown)
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(5)), Arc::new(client))
        .for_each(|_| async {})
        .await;
    Ok(())
}
