//! The replica that holds most shards ends, gently and not.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use overlap_checker::records::Stamp;

use crate::judge::Cause;
use crate::stage::{CONVERGED_WITHIN, Stage};

/// As `kubectl delete pod` does: SIGTERM, and time to hand over.
pub(super) async fn delete_pod(stage: &mut Stage) -> Result<()> {
    for _ in 0..stage.options.repeat {
        let (replica, pod) = stage.busiest().await?;
        let pods = Api::<Pod>::namespaced(stage.client.clone(), &stage.release.namespace);
        let at = Stamp::now()?;
        pods.delete(&pod.name, &DeleteParams::default())
            .await
            .with_context(|| format!("{} stays", pod.name))?;
        stage.lost(replica.clone(), at, Cause::Deleted);
        stage.owned_by_others(&[replica]).await?;
        stage.settle().await?;
        stage.resources.converged(CONVERGED_WITHIN).await?;
    }
    Ok(())
}

/// As the kernel does when memory runs out: nothing is handed over, and the kubelet starts the container again.
pub(super) async fn kill_container(stage: &mut Stage) -> Result<()> {
    for _ in 0..stage.options.repeat {
        let (replica, pod) = stage.busiest().await?;
        let node = stage.cluster.node(&pod.node)?;
        let process = node.process(&pod.name, "operator").await?;
        let at = node.shell_at(&format!("kill -9 {process}")).await?;
        stage.lost(replica.clone(), at, Cause::Killed);
        stage.owned_by_others(&[replica]).await?;
        stage.settle().await?;
        stage.resources.converged(CONVERGED_WITHIN).await?;
    }
    Ok(())
}
