//! The replica that holds most shards ends, gently and not.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use overlap_checker::records::Stamp;

use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::judge::Cause;

/// As `kubectl delete pod` does: SIGTERM, and time to hand over.
pub(super) async fn delete_pod(harness: &mut Harness) -> Result<()> {
    for _ in 0..harness.options.repeat {
        let (replica, pod) = harness.busiest().await?;
        let pods = Api::<Pod>::namespaced(harness.client.clone(), &harness.release.namespace);
        let at = Stamp::now()?;
        pods.delete(&pod.name, &DeleteParams::default())
            .await
            .with_context(|| format!("{} stays", pod.name))?;
        harness.lost(replica.clone(), at, Cause::Deleted);
        harness.owned_by_others(&[replica]).await?;
        harness.settle().await?;
        harness.resources.converged(CONVERGED_WITHIN).await?;
    }
    Ok(())
}

/// As the kernel does when memory runs out: nothing is handed over, and the kubelet starts the container again.
pub(super) async fn kill_container(harness: &mut Harness) -> Result<()> {
    for _ in 0..harness.options.repeat {
        let (replica, pod) = harness.busiest().await?;
        let node = harness.cluster.node(&pod.node)?;
        let process = node.process(&pod.name, "operator").await?;
        let at = node.shell_at(&format!("kill -9 {process}")).await?;
        harness.lost(replica.clone(), at, Cause::Killed);
        harness.owned_by_others(&[replica]).await?;
        harness.settle().await?;
        harness.resources.converged(CONVERGED_WITHIN).await?;
    }
    Ok(())
}
