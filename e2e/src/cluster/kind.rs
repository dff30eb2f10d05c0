//! A kind cluster of one control plane and two workers, whose API server writes an audit log.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Node;
use crate::options::Options;
use crate::screen::Screen;
use crate::tool::Tool;

/// Where the audit log is on the control plane's node.
pub(crate) const AUDIT_LOG: &str = "/var/log/kubernetes/audit.log";

const AUDIT_POLICY: &str = "/etc/kubernetes/audit-policy/policy.yaml";

/// A kind cluster.
pub(crate) struct Kind {
    name: String,
    pub(crate) kubeconfig: PathBuf,
}

impl Kind {
    /// Creates it, in the place of one that an earlier run has left behind.
    pub(super) async fn create(options: &Options, dir: &Path, screen: Screen) -> Result<Self> {
        let kubeconfig = dir.join("kubeconfig");
        let kind = Self { name: options.name.clone(), kubeconfig };
        if Tool::new("kind").args(["get", "clusters"]).run().await?.lines().any(|line| line == kind.name) {
            screen.say(&format!("Deleting the kind cluster {} of an earlier run …", kind.name));
            kind.remove().await?;
        }
        let policy = dir.join("audit-policy.yaml");
        std::fs::write(&policy, include_str!("audit-policy.yaml"))?;
        let policy = policy.canonicalize().context("the audit policy's path is not known")?;
        let config = dir.join("kind.yaml");
        std::fs::write(&config, serde_saphyr::to_string(&configuration(&policy))?)?;
        screen.say(&format!("Creating the kind cluster {}: one control plane, two workers …", kind.name));
        let mut args = vec!["create", "cluster", "--name", &kind.name, "--wait", "5m", "--quiet"];
        args.extend(options.node_image.iter().flat_map(|image| ["--image", image]));
        // A cluster that did not come up is kept only on request, and then it can be inspected.
        args.extend(options.keep.then_some("--retain"));
        let tool =
            Tool::new("kind").args(args).args([Path::new("--config"), &config, Path::new("--kubeconfig")]);
        tool.args([&kind.kubeconfig]).run().await?;
        Ok(kind)
    }

    /// Its nodes, as the docker engine knows them.
    pub(super) async fn nodes(&self) -> Result<Vec<Node>> {
        let names = Tool::new("kind").args(["get", "nodes", "--name", &self.name]).run().await?;
        Ok(names.lines().filter(|line| !line.is_empty()).map(|name| Node { name: name.to_owned() }).collect())
    }

    /// Copies an image of the docker engine to every node.
    pub(crate) async fn load(&self, image: &str) -> Result<()> {
        Tool::new("kind").args(["load", "docker-image", "--name", &self.name, image]).run().await.map(|_| ())
    }

    async fn remove(&self) -> Result<()> {
        let tool = Tool::new("kind").args(["delete", "cluster", "--name", &self.name, "--kubeconfig"]);
        tool.args([&self.kubeconfig]).run().await.map(|_| ())
    }
}

/// As kind reads it. Both forms of kubeadm's configuration are there, for older and newer Kubernetes; kind applies the
/// one that fits.
fn configuration(policy: &Path) -> Value {
    let arguments = [
        ("audit-policy-file", AUDIT_POLICY),
        ("audit-log-path", AUDIT_LOG),
        // In megabytes: one file, as the runner reads no others.
        ("audit-log-maxsize", "10000"),
    ];
    let volumes = json!([
        {"name": "audit-policy", "hostPath": "/etc/kubernetes/audit-policy", "mountPath": "/etc/kubernetes/audit-policy",
         "readOnly": true, "pathType": "DirectoryOrCreate"},
        {"name": "audit-log", "hostPath": "/var/log/kubernetes", "mountPath": "/var/log/kubernetes", "readOnly": false,
         "pathType": "DirectoryOrCreate"},
    ]);
    let add = |path: String, value: Value| json!({"op": "add", "path": path, "value": value});
    let volumes = add("/apiServer/extraVolumes".into(), volumes);
    let older = arguments.map(|(name, value)| add(format!("/apiServer/extraArgs/{name}"), value.into()));
    let newer = arguments
        .map(|(name, value)| add("/apiServer/extraArgs/-".into(), json!({"name": name, "value": value})));
    let patch = |version: &str, operations: [Value; 3]| {
        let operations: Vec<_> = operations.into_iter().chain([volumes.clone()]).collect();
        json!({"group": "kubeadm.k8s.io", "version": version, "kind": "ClusterConfiguration",
               "patch": Value::from(operations).to_string()})
    };
    // Log files that are rotated are compressed and deleted in time; records must not be.
    let kubelet =
        "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\ncontainerLogMaxSize: 4Gi\n";
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kubeadmConfigPatches": [kubelet],
        "kubeadmConfigPatchesJSON6902": [patch("v1beta3", older), patch("v1beta4", newer)],
        "nodes": [
            {"role": "control-plane", "extraMounts": [
                {"hostPath": policy, "containerPath": AUDIT_POLICY, "readOnly": true},
            ]},
            {"role": "worker"},
            {"role": "worker"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_kubeadms_arguments_are_patched() {
        let config = configuration(Path::new("/tmp/policy.yaml"));
        let patches = config["kubeadmConfigPatchesJSON6902"].as_array().expect("there are patches");
        let texts: Vec<_> = patches.iter().map(|patch| patch["patch"].as_str().expect("a text")).collect();
        assert!(texts[0].contains("/apiServer/extraArgs/audit-log-path"), "{}", texts[0]);
        assert!(texts[1].contains(r#""name":"audit-log-path""#), "{}", texts[1]);
    }
}
