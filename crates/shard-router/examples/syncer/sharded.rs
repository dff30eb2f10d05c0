//! Copies a Secret into the namespace of each SecretCopy, sharded.

use std::{error::Error, future::Future, sync::Arc};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, CustomResource, ResourceExt,
    api::ObjectMeta,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shard_router::{Action, Held, HeldError, Options, Sharded, ShardedApp};

/// What users write.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "examples.dev", version = "v1", kind = "SecretCopy", namespaced)]
pub(crate) struct SecretCopySpec {
    /// The namespace of the source, which has the name of the copy.
    pub(crate) from: String,
}

impl Sharded for SecretCopy {}

async fn reconcile(copy: Arc<SecretCopy>, held: Held) -> Result<Action, HeldError> {
    let name = copy.name_any();
    let source = held.watched::<Secret>(&copy.spec.from, &name)?;
    let Some(source) = source else { return Ok(Action::await_change()) };
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        data: source.data.clone(),
        type_: source.type_.clone(),
        ..Secret::default()
    };
    held.apply_owned(&*copy, secret).await?;
    Ok(Action::await_change())
}

/// Runs until `shutdown` resolves.
pub(crate) async fn run(
    client: Client,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let mut app = ShardedApp::new(client, options);
    app.controller::<SecretCopy>()
        .owns::<Secret>()
        .watches(watcher::Config::default(), |secret: &Secret, copies: &Store<SecretCopy>| {
            let (name, namespace) = (secret.name_any(), secret.namespace());
            let copies = copies.state().into_iter();
            let uses = move |copy: &Arc<SecretCopy>| {
                copy.name_any() == name && Some(&copy.spec.from) == namespace.as_ref()
            };
            copies.filter(uses).map(|copy| ObjectRef::from_obj(&*copy)).collect::<Vec<_>>()
        })
        .run(reconcile);
    Ok(app.run(shutdown).await?)
}
