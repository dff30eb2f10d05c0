//! What an operator finds in the cluster.

use anyhow::{Context as _, Result};
use fleet::Installation;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt as _};
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
        let documents: Vec<DynamicObject> =
            serde_saphyr::from_multiple(PEERS).context("rbac.yaml of the peers is not what it should be")?;
        for document in documents {
            let types =
                document.types.clone().context("rbac.yaml of the peers has an object without a kind")?;
            let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let (name, patch) = (document.name_any(), Patch::Apply(&document));
            let applied = api.patch(&name, &PatchParams::apply("bench").force(), &patch).await;
            applied.with_context(|| format!("{} {name} could not be applied", types.kind))?;
        }
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let new = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let made = namespaces.patch(NAMESPACE, &PatchParams::apply("bench"), &Patch::Apply(&new)).await;
    made.with_context(|| format!("the namespace {NAMESPACE} could not be made"))?;
    Ok(kind())
}
