//! The cluster that the drills run on.

mod kind;
mod node;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node as KubeNode;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

use crate::options::{Options, Provider};
use crate::screen::Screen;
use crate::tool::Tool;

pub(crate) use kind::{AUDIT_LOG, Kind};
pub(crate) use node::Node;

/// Whether a namespace belongs to the drills.
pub(crate) fn is_ours(namespace: &str) -> bool {
    namespace.starts_with("e2e-")
}

/// A cluster, and what can be done to it.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
    /// The kind cluster's; none where the nodes are out of reach.
    pub(crate) nodes: Vec<Node>,
    /// The API server's version.
    pub(crate) version: String,
    kind: Option<Kind>,
}

impl Cluster {
    /// Makes or finds it.
    pub(crate) async fn start(options: &Options, dir: &Path, screen: Screen) -> Result<Self> {
        let (kubeconfig, kind) = match options.provider {
            Provider::Kind => {
                let kind = Kind::create(options, dir, screen).await?;
                (kind.kubeconfig.clone(), Some(kind))
            }
            Provider::Existing => (current_kubeconfig(dir).await?, None),
        };
        let parsed = Kubeconfig::read_from(&kubeconfig)
            .with_context(|| format!("{} is no kubeconfig", kubeconfig.display()))?;
        let config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        let version = client.apiserver_version().await.context("the API server does not answer")?.git_version;
        if kind.is_none() {
            refuse_if_in_use(&client).await?;
        }
        let nodes = match &kind {
            Some(kind) => kind.nodes().await?,
            None => Vec::new(),
        };
        Ok(Self { client, kubeconfig, nodes, version, kind })
    }

    /// The kind cluster, where it is one.
    pub(crate) fn kind(&self) -> Option<&Kind> {
        self.kind.as_ref()
    }

    /// A node by its name; an error where nodes are out of reach.
    pub(crate) fn node(&self, name: &str) -> Result<&Node> {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .with_context(|| format!("node {name} is out of reach"))
    }

    /// The node that runs the API server.
    pub(crate) fn control_plane(&self) -> Result<&Node> {
        let found = self.nodes.iter().find(|node| node.name.contains("control-plane"));
        found.context("the control plane's node is out of reach")
    }

    pub(crate) fn kubectl<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Tool {
        Tool::new("kubectl").args(args).kubeconfig(&self.kubeconfig)
    }

    /// The names of nodes that take Pods now.
    pub(crate) async fn ready_nodes(&self) -> Result<Vec<String>> {
        let nodes = Api::<KubeNode>::all(self.client.clone()).list(&ListParams::default()).await?;
        let ready = nodes.iter().filter(|node| {
            let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
            let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
            !unschedulable && ready.any(|condition| condition.status == "True")
        });
        Ok(ready.map(ResourceExt::name_any).collect())
    }
}

/// The drills install, replace and delete the definition of Memcached, and with it all resources.
async fn refuse_if_in_use(client: &Client) -> Result<()> {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let there = definitions.get_opt("memcacheds.cache.example.com").await?;
    anyhow::ensure!(
        there.is_none(),
        "this cluster has the definition of Memcached already; use a cluster without the operator, as the drills delete it"
    );
    Ok(())
}

/// The current context alone, so that a switch of contexts during the run moves nothing.
async fn current_kubeconfig(dir: &Path) -> Result<PathBuf> {
    let text = Tool::new("kubectl").args(["config", "view", "--minify", "--flatten", "--raw"]).run().await;
    let text = text.context("the current kubeconfig context could not be read")?;
    let path = dir.join("kubeconfig");
    std::fs::write(&path, text).with_context(|| format!("{} could not be written", path.display()))?;
    Ok(path)
}
