//! Changes that an administrator makes with helm.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::options::Preset;
use crate::release::Release;
use crate::resources::empty;
use crate::stage::{CONVERGED_WITHIN, Stage};
use crate::wait::{Seen, until};

/// How many resources are created while the new version is rolled out.
const MEANWHILE: u32 = 100;

/// A new version replaces every replica while resources are created and changed.
pub(super) async fn rollout(stage: &mut Stage) -> Result<()> {
    let next = stage.images.operator_next.clone();
    if next == stage.release.image {
        // An image of the user's own has one name. Other Pods are made of it all the same.
        stage.release.extra = serde_json::json!({"podAnnotations": {"e2e/rollout": "next"}});
    }
    stage.release.image = next;
    let resources = stage.resources.clone();
    let load = async move {
        for number in 0..MEANWHILE {
            resources.create([(format!("rollout-{number}"), empty())]).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    tokio::try_join!(stage.apply(), load)?;
    let image = stage.release.image.reference();
    until("every Pod to run the new version", Duration::from_secs(60), || async {
        let pods = stage.pods().await?;
        let old = pods.iter().filter(|pod| pod.image != image).count();
        Ok(Seen::when(old == 0, || format!("{old} Pods still run another")))
    })
    .await?;
    stage.settle().await?;
    stage.resources.converged(CONVERGED_WITHIN).await?;
    stage.resources.delete("rollout-", Duration::from_secs(180)).await
}

/// Fewer and more replicas: the shards follow.
pub(super) async fn scale(stage: &mut Stage) -> Result<()> {
    let usual = stage.release.replicas;
    for replicas in [1, 5, 2, usual] {
        stage.release.replicas = replicas;
        stage.apply().await?;
        stage.settle().await.with_context(|| format!("with {replicas} replicas"))?;
        stage.resources.converged(CONVERGED_WITHIN).await?;
        stage.note(format!("{replicas} replicas share the shards evenly"));
    }
    Ok(())
}

/// While an upgrade of the timings is under way, replicas with old and new ones contend for the same Leases.
pub(super) async fn timings(stage: &mut Stage) -> Result<()> {
    let usual = stage.release.preset;
    let other = if usual == Preset::Fast { Preset::Standard } else { Preset::Fast };
    for preset in [other, usual] {
        stage.allow(preset.timings());
        stage.release.preset = preset;
        stage.apply().await?;
        stage.settle().await.with_context(|| format!("with the preset {}", preset.name()))?;
        stage.note(format!("the replicas run with the preset {}", preset.name()));
    }
    Ok(())
}

/// A single replica without Leases takes the place of all others, which the chart's strategy Recreate ends first. The way back
/// leads over no replica at all: a Deployment that is given more replicas and another template at once first makes more of the
/// old ones, and starts new ones beside them.
pub(super) async fn no_election(stage: &mut Stage) -> Result<()> {
    let usual = stage.release.clone();
    stage.end_epoch()?;
    stage.release = Release { replicas: 1, leader_elect: false, ..usual.clone() };
    stage.apply().await?;
    until("one replica alone", Duration::from_secs(120), || async {
        let pods = stage.pods().await?;
        let ready = pods.iter().filter(|pod| pod.ready).count();
        Ok(Seen::when(pods.len() == 1 && ready == 1, || {
            format!("there are {} Pods, {ready} ready", pods.len())
        }))
    })
    .await?;
    stage.resources.create((0..20).map(|number| (format!("alone-{number}"), empty()))).await?;
    let count = stage.resources.converged(CONVERGED_WITHIN).await?;
    stage.note(format!("one replica without leader election brought {count} resources about"));
    ensure!(count >= 20, "only {count} resources are there");
    let alone =
        stage.pods().await?.into_iter().map(|pod| pod.name).next().context("the one replica is gone")?;
    let refused = usual.try_apply(&stage.cluster.kubeconfig, true).await?;
    let why = "leaderElection.enabled was off";
    ensure!(
        !refused.ok && refused.stderr.contains(why),
        "more replicas at once are not refused: {}",
        refused.stderr
    );
    stage.release = Release { replicas: 1, ..usual.clone() };
    stage.begin_epoch()?;
    tokio::try_join!(stage.apply(), none_beside(stage, &alone))?;
    stage.note("back with Leases, no replica was started before that one was gone");
    stage.release = usual;
    stage.apply().await?;
    stage.settle().await?;
    stage.resources.delete("alone-", Duration::from_secs(120)).await
}

/// Nothing but the Deployment's strategy keeps those that go by Leases from working beside one that does not.
async fn none_beside(stage: &Stage, alone: &str) -> Result<()> {
    loop {
        let pods = stage.pods().await?;
        if pods.iter().all(|pod| pod.name != alone) {
            return Ok(());
        }
        let beside = pods.iter().find(|pod| pod.name != alone);
        if let Some(beside) = beside {
            bail!("{} was started beside {alone}, which goes by no Leases", beside.name);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
