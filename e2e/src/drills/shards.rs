//! The number of shards changes while replicas work: the chart writes it into a ConfigMap, and the coordinator follows.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use overlap_checker::records::Stamp;
use serde_json::json;

use super::nodes;
use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::judge::Cause;
use crate::wait::{WaitStatus, until};

/// More shards, and fewer again, while resources are edited. No Pod is replaced.
pub(super) async fn change(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.shards;
    let before = pods(harness).await?;
    for shards in [2 * usual, 4 * usual, usual] {
        let since = Stamp::now()?;
        harness.release.shards = shards;
        harness.apply().await?;
        settled(harness, shards).await?;
        let took = Stamp::now()?.boot.since(since.boot);
        harness.resources.converged(CONVERGED_WITHIN).await?;
        harness
            .note(format!("{shards} shards were settled {:.1} s after helm was called", took.as_secs_f64()));
    }
    let after = pods(harness).await?;
    ensure!(before == after, "the change of a number replaced Pods: {before:?} became {after:?}");
    Ok(())
}

/// More shards with a rollout, and fewer again while it is under way.
pub(super) async fn change_in_rollout(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.shards;
    let before = pods(harness).await?;
    harness.release.extra = json!({"podAnnotations": {"e2e/rollout": "with-more-shards"}});
    harness.release.shards = 2 * usual;
    let applied = harness.release.try_apply(&harness.cluster.kubeconfig, false).await?;
    ensure!(applied.ok, "helm refused more shards: {}", applied.stderr.trim());
    until("the first Pod to be replaced", Duration::from_secs(120), || async {
        let pods = pods(harness).await?;
        Ok(WaitStatus::when(!pods.is_subset(&before), || format!("there are still {pods:?}")))
    })
    .await?;
    let under_way = pods(harness).await?;
    harness.note(format!(
        "{} of {} Pods were there before",
        under_way.intersection(&before).count(),
        under_way.len()
    ));
    harness.release.shards = usual;
    harness.apply().await?;
    settled(harness, usual).await?;
    harness.resources.converged(CONVERGED_WITHIN).await.map(|_| ())
}

/// More shards while the node that runs most of the operator is without power, and fewer again when it is back.
pub(super) async fn change_in_node_loss(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.shards;
    let node = nodes::busiest_node(harness).await?;
    let holders = harness.holders_on(&node.name).await?;
    harness.expect_server_errors_on(&node.name).await?;
    let at = Stamp::now()?;
    node.power_off().await?;
    for holder in &holders {
        harness.lost(holder.clone(), at.clone(), Cause::NodeOff);
    }
    harness.release.shards = 2 * usual;
    let applied = harness.release.try_apply(&harness.cluster.kubeconfig, false).await?;
    let owned = harness.owned_by_others(&holders).await;
    node.power_on().await?;
    crate::collected::keep(&node).await?;
    ensure!(applied.ok, "helm refused more shards: {}", applied.stderr.trim());
    owned?;
    nodes::back(harness, &node).await?;
    settled(harness, 2 * usual).await?;
    harness.note(format!("{} of the replicas were on the node; {} shards", holders.len(), 2 * usual));
    harness.release.shards = usual;
    harness.apply().await?;
    settled(harness, usual).await
}

async fn settled(harness: &Harness, shards: u32) -> Result<()> {
    harness.settle().await.with_context(|| format!("with {shards} shards"))
}

async fn pods(harness: &Harness) -> Result<BTreeSet<String>> {
    Ok(harness.pods().await?.into_iter().map(|pod| pod.name).collect())
}
