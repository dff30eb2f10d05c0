//! The logs of all Pods, kept on the nodes of a kind cluster.
//!
//! `kubectl logs` has the current and the previous container of a Pod that exists; a drill ends more than that. The kubelet
//! has every container write to a file below /var/log/pods, which it deletes with the Pod. A second name for the same
//! file, on the same file system, keeps all of it, also what is written later.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cluster::Node;
use crate::tool::Tool;

/// Where the second names are.
const KEPT: &str = "/var/log/e2e";

/// Gives every log file a second name, again and again. To be called again after the node was off.
pub(crate) async fn keep(node: &Node) -> Result<()> {
    let script = format!(
        "exec 9>/var/log/e2e.lock; flock --nonblock 9 || exit 0; mkdir -p {KEPT}; \
         while sleep 0.3; do cp --recursive --link --no-clobber /var/log/pods/. {KEPT}/ 2>/dev/null; done"
    );
    node.background(&script).await.with_context(|| format!("the logs on {} cannot be kept", node.name))
}

/// Copies them. A node that is off is left for the next time: it loses nothing by that.
pub(super) async fn fetch(node: &Node, dir: &Path) -> Result<()> {
    let state =
        Tool::new("docker").args(["inspect", "--format", "{{.State.Status}}", &node.name]).run().await?;
    if state.trim() != "running" {
        return Ok(());
    }
    let into = dir.join(&node.name);
    std::fs::create_dir_all(&into)?;
    // The files grow while they are read, which tar remarks upon with the exit code 1.
    let script = format!("tar --directory {KEPT} --create . 2>/dev/null; [ $? -le 1 ]");
    let archive = node
        .shell_bytes(&script)
        .await
        .with_context(|| format!("the logs of {} cannot be copied", node.name))?;
    let tool = Tool::new("tar").args(["--extract", "--no-same-owner", "--mode=u+rwX", "--directory"]);
    tool.args([&into]).input(archive).run().await.map(|_| ())
}
