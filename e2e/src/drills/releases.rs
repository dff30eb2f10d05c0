//! More than one release, and none.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::operator::pods;
use crate::release::Release;
use crate::resources::empty;
use crate::stage::{CONVERGED_WITHIN, Stage};
use crate::wait::{Seen, until};

/// Two releases in one namespace with one LeaderElectionID are replicas of one installation, and share its shards.
pub(super) async fn two(stage: &mut Stage) -> Result<()> {
    let second = Release {
        name: "second".to_owned(),
        replicas: 2,
        extra: json!({"crds": {"install": false}}),
        ..stage.release.clone()
    };
    second.apply(&stage.cluster.kubeconfig).await?;
    stage.settle_with(&[&second]).await?;
    stage.note("five replicas of two releases share the shards evenly");
    second.remove(&stage.cluster.kubeconfig).await?;
    stage.settle().await
}

/// Uninstalled, nothing of the users' is lost: resources stay, and servers go on answering. Installed again, what was asked for
/// meanwhile is done.
pub(super) async fn reinstall(stage: &mut Stage) -> Result<()> {
    let before = stage.resources.converged(CONVERGED_WITHIN).await?;
    stage.end_epoch()?;
    stage.release.remove(&stage.cluster.kubeconfig).await?;
    until("the operator's Pods to be gone", Duration::from_secs(120), || async {
        let left = pods(&stage.client, &stage.release.namespace, &stage.release.name).await?;
        Ok(Seen::when(left.is_empty(), || format!("{} are still there", left.len())))
    })
    .await?;
    stage.resources.create((0..20).map(|number| (format!("meanwhile-{number}"), empty()))).await?;
    stage.begin_epoch()?;
    stage.apply().await?;
    stage.settle().await?;
    let after = stage.resources.converged(CONVERGED_WITHIN).await?;
    ensure!(after == before + 20, "there were {before} resources, 20 came, and {after} are there");
    stage.note(format!(
        "{after} resources are as asked for, 20 of them asked for while no operator was there"
    ));
    stage.resources.delete("meanwhile-", Duration::from_secs(120)).await
}
