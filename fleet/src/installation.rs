//! What the operator needs in a cluster: its definition, a namespace and the rights of its replicas, as `deploy/` has them.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, TypeMeta};
use kube::core::GroupVersionKind;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

/// The group that [`Installation::replicas_as_users`] gives the rights to.
pub const GROUP: &str = "memcached-operators";

const CRD: &str = include_str!("../../deploy/crd.yaml");
const RBAC: &str = include_str!("../../deploy/rbac.yaml");
const DEFINITION: &str = "memcacheds.cache.example.com";
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(60);

/// What is to be installed, and where.
#[derive(Clone)]
pub struct Installation {
    client: Client,
    namespace: Option<String>,
    access_control: bool,
}

impl Installation {
    /// As `deploy/` says: in its namespace, with rights for its service account.
    pub fn new(client: Client) -> Self {
        Self { client, namespace: None, access_control: true }
    }

    /// In this namespace, which is made, with rights for users of the group [`GROUP`]: a user of its own for each replica lets the audit
    /// log tell them apart, whatever they call themselves.
    #[must_use]
    pub fn replicas_as_users(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Without rights, for an API server that asks nobody who they are.
    #[must_use]
    pub fn access_control(mut self, wanted: bool) -> Self {
        self.access_control = wanted;
        self
    }

    /// Installs everything, or brings it up to date, and waits until the definition is established.
    ///
    /// # Errors
    ///
    /// Something was not accepted, or the definition was not established within a minute.
    pub async fn install(&self) -> Result<()> {
        if let Some(name) = &self.namespace {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let namespaces: Api<Namespace> = Api::all(self.client.clone());
            let applied = namespaces.patch(name, &params(), &Patch::Apply(&namespace)).await;
            applied.with_context(|| format!("the namespace {name} could not be made"))?;
        }
        self.apply_all(CRD).await?;
        if self.access_control {
            self.apply_all(RBAC).await?;
        }
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let established = await_condition(definitions, DEFINITION, is_crd_established());
        let established = tokio::time::timeout(ESTABLISHED_WITHIN, established).await;
        established
            .with_context(|| format!("{DEFINITION} was not established within {ESTABLISHED_WITHIN:?}"))?
            .with_context(|| format!("{DEFINITION} could not be watched"))?;
        Ok(())
    }

    async fn apply_all(&self, manifest: &str) -> Result<()> {
        for mut object in documents(manifest)? {
            let types = types(&object)?;
            if let Some(namespace) = &self.namespace
                && !for_users(&mut object, &types, namespace)
            {
                continue;
            }
            apply(&self.client, &object).await?;
        }
        Ok(())
    }
}

/// Applies every object of a manifest as it is.
///
/// # Errors
///
/// The manifest has something that is no object, or something was not accepted.
pub async fn apply_manifest(client: &Client, manifest: &str) -> Result<()> {
    for object in documents(manifest)? {
        apply(client, &object).await?;
    }
    Ok(())
}

fn documents(manifest: &str) -> Result<Vec<DynamicObject>> {
    serde_saphyr::from_multiple(manifest).context("a manifest is not what it should be")
}

fn types(object: &DynamicObject) -> Result<TypeMeta> {
    object.types.clone().context("a manifest has an object without a kind")
}

async fn apply(client: &Client, object: &DynamicObject) -> Result<()> {
    let types = types(object)?;
    let kind = GroupVersionKind::try_from(&types).context("a manifest has an odd apiVersion")?;
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.name_any();
    let applied = api.patch(&name, &params(), &Patch::Apply(object)).await;
    applied.with_context(|| format!("{} {name} could not be applied", types.kind))?;
    Ok(())
}

/// Turns an object for a service account into one for users; false if there is none for them.
fn for_users(object: &mut DynamicObject, types: &TypeMeta, namespace: &str) -> bool {
    if ["Namespace", "ServiceAccount"].contains(&types.kind.as_str()) {
        return false;
    }
    if types.kind.ends_with("Binding") {
        let group: Value = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP});
        object.data["subjects"] = json!([group]);
    }
    if types.kind == "ClusterRoleBinding" {
        // An installation of the operator in the same cluster keeps its own.
        object.metadata.name = Some(GROUP.to_owned());
    }
    if object.metadata.namespace.is_some() {
        object.metadata.namespace = Some(namespace.to_owned());
    }
    true
}

fn params() -> PatchParams {
    PatchParams::apply("fleet").force()
}
