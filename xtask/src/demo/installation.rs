//! What the operator needs in the cluster: its CRD, a namespace and, where anybody asks for them, permissions.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::cluster_kind::ClusterKind;
use crate::cargo::root;
use crate::steps::generate::CRD;

/// The group of all replicas' users.
pub(super) const GROUP: &str = "memcached-operators";
/// The operator's default.
pub(super) const LEADER_ELECTION_ID: &str = "memcached.cache.example.com";

const NAMESPACE: &str = "memcached-demo";
const RBAC: &str = "deploy/rbac.yaml";
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// What was installed.
pub(super) struct Installation {
    pub(super) namespace: String,
    client: Client,
}

impl Installation {
    /// Installs everything, or brings it up to date.
    pub(super) async fn install(client: Client, kind: ClusterKind) -> Result<Self> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        apply(&Api::<Namespace>::all(client.clone()), NAMESPACE, &namespace).await?;
        let installation = Self { namespace: NAMESPACE.to_owned(), client };
        installation.install_crd().await?;
        if kind.has_access_control() {
            installation.install_rbac().await?;
        }
        Ok(installation)
    }

    /// Removes the namespace and the binding. The CRD stays: to remove it would remove all resources of its
    /// kind.
    pub(super) async fn remove(&self) -> Result<()> {
        let params = DeleteParams::default();
        Api::<ClusterRoleBinding>::all(self.client.clone()).delete(GROUP, &params).await?;
        Api::<Namespace>::all(self.client.clone()).delete(&self.namespace, &params).await?;
        Ok(())
    }

    async fn install_crd(&self) -> Result<()> {
        let crd: CustomResourceDefinition = documents(CRD)?.pop().context("deploy/crd.yaml is empty")?;
        let name = crd.name_any();
        let crds = Api::all(self.client.clone());
        apply(&crds, &name, &crd).await?;
        let established = await_condition(crds, &name, conditions::is_crd_established());
        tokio::time::timeout(ESTABLISHED_WITHIN, established)
            .await
            .with_context(|| format!("the CRD {name} was not established within {ESTABLISHED_WITHIN:?}"))??;
        Ok(())
    }

    /// The operator's own roles, bound to the replicas' group instead of to a service account.
    async fn install_rbac(&self) -> Result<()> {
        let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP}]);
        for document in documents::<serde_json::Value>(RBAC)? {
            let kind = document["kind"].as_str().unwrap_or_default().to_owned();
            let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let binding = |binding_name: &str| {
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"),
                    "metadata": {"name": binding_name}, "subjects": subjects,
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}})
            };
            match kind.as_str() {
                "ClusterRole" => {
                    apply(&Api::<ClusterRole>::all(self.client.clone()), &name, &document).await?;
                    let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
                    apply(&bindings, GROUP, &binding(GROUP)).await?;
                }
                "Role" => {
                    let mut role = document.clone();
                    role["metadata"]["namespace"] = json!(self.namespace);
                    apply(&Api::<Role>::namespaced(self.client.clone(), &self.namespace), &name, &role)
                        .await?;
                    let bindings = Api::<RoleBinding>::namespaced(self.client.clone(), &self.namespace);
                    apply(&bindings, &name, &binding(&name)).await?;
                }
                // Service accounts and their bindings are for replicas that run as Pods.
                _ => {}
            }
        }
        Ok(())
    }
}

/// The documents of a YAML file of the repository.
fn documents<T: DeserializeOwned>(file: &str) -> Result<Vec<T>> {
    let text =
        std::fs::read_to_string(root().join(file)).with_context(|| format!("{file} could not be read"))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("{file} is not what it should be"))
}

async fn apply<K>(api: &Api<K>, name: &str, object: &(impl Serialize + Debug)) -> Result<()>
where
    K: Clone + DeserializeOwned + Debug,
{
    let params = PatchParams::apply("xtask-demo").force();
    let applied = api.patch(name, &params, &Patch::Apply(object)).await;
    applied.map(|_| ()).with_context(|| format!("{name} could not be applied"))
}
