//! What an operator finds in the cluster.

use anyhow::{Context as _, Result};
use fleet::{Installation, apply_manifest};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::json;

use crate::resources::NAMESPACE;
use crate::subject::Kind;

/// The rights that the peers need beyond ours.
const PEERS: &str = include_str!("../../controller-runtime/rbac.yaml");

/// The kind that all operators reconcile.
pub(crate) fn kind() -> ApiResource {
    let kind = GroupVersionKind::gvk("cache.example.com", "v1alpha1", "Memcached");
    ApiResource::from_gvk_with_plural(&kind, "memcacheds")
}

/// Installs the definition and the rights, and makes the namespace of the resources.
pub(super) async fn install(client: &Client, operator: Kind, namespace: &str) -> Result<ApiResource> {
    Installation::new(client.clone()).replicas_as_users(namespace).install().await?;
    if operator != Kind::Ours {
        apply_manifest(client, PEERS).await.context("the peers could not be given their rights")?;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let new = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let made = namespaces.patch(NAMESPACE, &PatchParams::apply("bench"), &Patch::Apply(&new)).await;
    made.with_context(|| format!("the namespace {NAMESPACE} could not be made"))?;
    Ok(kind())
}
