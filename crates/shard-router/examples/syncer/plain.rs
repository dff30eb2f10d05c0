//! Copies a Secret into the namespace of each SecretCopy, with kube-runtime alone.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, CustomResource, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    runtime::{Controller, controller::Action, reflector::ObjectRef, watcher},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "examples.dev", version = "v1", kind = "SecretCopy", namespaced)]
pub(crate) struct SecretCopySpec {
    /// The namespace of the source, which has the name of the copy.
    pub(crate) from: String,
}

async fn reconcile(copy: Arc<SecretCopy>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let name = copy.name_any();
    let sources: Api<Secret> = Api::namespaced((*client).clone(), &copy.spec.from);
    let Some(source) = sources.get_opt(&name).await? else { return Ok(Action::await_change()) };
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            owner_references: copy.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: source.data.clone(),
        type_: source.type_.clone(),
        ..Secret::default()
    };
    let namespace = copy.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced((*client).clone(), &namespace);
    secrets.patch(&name, &PatchParams::apply("syncer").force(), &Patch::Apply(&secret)).await?;
    Ok(Action::await_change())
}

/// Runs until `shutdown` resolves.
pub(crate) async fn run(
    client: Client,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let copies: Api<SecretCopy> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::all(client.clone());
    let controller = Controller::new(copies, watcher::Config::default());
    let store = controller.store();
    controller
        .owns(secrets.clone(), watcher::Config::default())
        .watches(secrets, watcher::Config::default(), move |secret| {
            let (name, namespace) = (secret.name_any(), secret.namespace());
            let copies = store.state().into_iter();
            let uses = move |copy: &Arc<SecretCopy>| {
                copy.name_any() == name && Some(&copy.spec.from) == namespace.as_ref()
            };
            copies.filter(uses).map(|copy| ObjectRef::from_obj(&*copy)).collect::<Vec<_>>()
        })
        .graceful_shutdown_on(shutdown)
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(5)), Arc::new(client))
        .for_each(|_| async {})
        .await;
    Ok(())
}
