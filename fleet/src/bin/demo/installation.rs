//! What the demo puts into the cluster, and takes away again.

use anyhow::Result;
use fleet::GROUP;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::DeleteParams;
use kube::{Api, Client};

use super::cluster_kind::ClusterKind;

const NAMESPACE: &str = "memcached-demo";

/// What was installed.
pub(super) struct Installation {
    pub(super) namespace: String,
    client: Client,
}

impl Installation {
    /// Installs everything, or brings it up to date.
    pub(super) async fn install(client: Client, kind: ClusterKind) -> Result<Self> {
        let installation = fleet::Installation::new(client.clone()).replicas_as_users(NAMESPACE);
        installation.access_control(kind.has_access_control()).install().await?;
        Ok(Self { namespace: NAMESPACE.to_owned(), client })
    }

    /// Removes the namespace and the binding. The CRD stays: to remove it would remove all resources of its
    /// kind.
    pub(super) async fn remove(&self) -> Result<()> {
        let params = DeleteParams::default();
        Api::<ClusterRoleBinding>::all(self.client.clone()).delete(GROUP, &params).await?;
        Api::<Namespace>::all(self.client.clone()).delete(&self.namespace, &params).await?;
        Ok(())
    }
}
