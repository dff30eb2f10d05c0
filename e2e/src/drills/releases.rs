//! More than one release, and none.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::json;

use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::operator::{pods, shard_leases};
use crate::release::Release;
use crate::resources::empty;
use crate::wait::{WaitStatus, until};

/// A second release in the same namespace with the same LeaderElectionID is a mistake. It must do no work, and say why; the first
/// goes on.
pub(super) async fn two(harness: &mut Harness) -> Result<()> {
    let second = Release {
        name: "second".to_owned(),
        replicas: 2,
        extra: json!({"crds": {"install": false}}),
        ..harness.release.clone()
    };
    let applied = second.try_apply(&harness.cluster.kubeconfig, false).await?;
    ensure!(applied.ok, "helm refused the second release: {}", applied.stderr.trim());
    let kept_out = kept_out(harness, &second).await;
    // By now its replicas have been there for longer than any Lease lasts.
    let leases = shard_leases(&harness.client, &second.namespace).await?;
    let pods = pods(&harness.client, &second.namespace, &second.name).await?;
    second.remove(&harness.cluster.kubeconfig).await?;
    kept_out?;
    for pod in pods {
        ensure!(!pod.ready, "{} of the second release is ready", pod.name);
        let held = leases
            .iter()
            .filter(|lease| lease.holder.as_ref().is_some_and(|holder| holder.pod() == pod.name));
        ensure!(held.count() == 0, "{} of the second release holds shards", pod.name);
    }
    harness.note("the second release holds no shard, is not ready, and says which installation it met");
    Ok(())
}

/// Waits until every replica of the second release says why it does nothing, and for two LeaseDurations more.
async fn kept_out(harness: &Harness, second: &Release) -> Result<()> {
    until("the second release to say why it does no work", Duration::from_secs(90), || async {
        let pods = pods(&harness.client, &second.namespace, &second.name).await?;
        let api = Api::<Pod>::namespaced(harness.client.clone(), &second.namespace);
        let mut telling = 0;
        for pod in &pods {
            let log = api.logs(&pod.name, &LogParams::default()).await?;
            telling += u32::from(log.contains("is in use by the installation"));
        }
        Ok(WaitStatus::when(telling == second.replicas, || {
            format!("{telling} of {} Pods do", second.replicas)
        }))
    })
    .await?;
    tokio::time::sleep(second.timings().lease_duration * 2).await;
    Ok(())
}

/// Uninstalled, nothing of the users' is lost: resources stay, and servers go on answering. Installed again, what was asked for
/// meanwhile is done.
pub(super) async fn reinstall(harness: &mut Harness) -> Result<()> {
    let before = harness.resources.converged(CONVERGED_WITHIN).await?;
    harness.end_epoch()?;
    harness.release.remove(&harness.cluster.kubeconfig).await?;
    until("the operator's Pods to be gone", Duration::from_secs(120), || async {
        let left = pods(&harness.client, &harness.release.namespace, &harness.release.name).await?;
        Ok(WaitStatus::when(left.is_empty(), || format!("{} are still there", left.len())))
    })
    .await?;
    harness.resources.create((0..20).map(|number| (format!("meanwhile-{number}"), empty()))).await?;
    harness.begin_epoch()?;
    harness.apply().await?;
    harness.settle().await?;
    let after = harness.resources.converged(CONVERGED_WITHIN).await?;
    ensure!(after == before + 20, "there were {before} resources, 20 came, and {after} are there");
    harness.note(format!(
        "{after} resources are as asked for, 20 of them asked for while no operator was there"
    ));
    harness.resources.delete("meanwhile-", Duration::from_secs(120)).await
}
