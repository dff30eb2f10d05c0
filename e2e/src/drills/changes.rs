//! Changes that an administrator makes with helm.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::options::Preset;
use crate::release::Release;
use crate::resources::empty;
use crate::wait::{WaitStatus, until};

/// How many resources are created while the new version is rolled out.
const MEANWHILE: u32 = 100;

/// A new version replaces every replica while resources are created and changed.
pub(super) async fn rollout(harness: &mut Harness) -> Result<()> {
    let next = harness.images.operator_next.clone();
    if next == harness.release.image {
        // An image of the user's own has one name. Other Pods are made of it all the same.
        harness.release.extra = serde_json::json!({"podAnnotations": {"e2e/rollout": "next"}});
    }
    harness.release.image = next;
    let resources = harness.resources.clone();
    let load = async move {
        for number in 0..MEANWHILE {
            resources.create([(format!("rollout-{number}"), empty())]).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    tokio::try_join!(harness.apply(), load)?;
    let image = harness.release.image.reference();
    until("every Pod to run the new version", Duration::from_secs(60), || async {
        let pods = harness.pods().await?;
        let old = pods.iter().filter(|pod| pod.image != image).count();
        Ok(WaitStatus::when(old == 0, || format!("{old} Pods still run another")))
    })
    .await?;
    harness.settle().await?;
    harness.resources.converged(CONVERGED_WITHIN).await?;
    harness.resources.delete("rollout-", Duration::from_secs(180)).await
}

/// Fewer and more replicas: the shards follow.
pub(super) async fn scale(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.replicas;
    for replicas in [1, 5, 2, usual] {
        harness.release.replicas = replicas;
        harness.apply().await?;
        harness.settle().await.with_context(|| format!("with {replicas} replicas"))?;
        harness.resources.converged(CONVERGED_WITHIN).await?;
        harness.note(format!("{replicas} replicas share the shards evenly"));
    }
    Ok(())
}

/// While an upgrade of the timings is under way, replicas with old and new ones contend for the same Leases.
pub(super) async fn timings(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.preset;
    let other = if usual == Preset::Fast { Preset::Standard } else { Preset::Fast };
    for preset in [other, usual] {
        harness.allow(preset.timings());
        harness.release.preset = preset;
        harness.apply().await?;
        harness.settle().await.with_context(|| format!("with the preset {}", preset.name()))?;
        harness.note(format!("the replicas run with the preset {}", preset.name()));
    }
    Ok(())
}

/// A single replica without Leases takes the place of all others, which the chart's strategy Recreate ends first. The way back
/// leads over no replica at all: a Deployment that is given more replicas and another template at once first makes more of the
/// old ones, and starts new ones beside them.
pub(super) async fn no_election(harness: &mut Harness) -> Result<()> {
    let usual = harness.release.clone();
    harness.end_epoch()?;
    harness.release = Release { replicas: 1, leader_elect: false, ..usual.clone() };
    harness.apply().await?;
    until("one replica alone", Duration::from_secs(120), || async {
        let pods = harness.pods().await?;
        let ready = pods.iter().filter(|pod| pod.ready).count();
        Ok(WaitStatus::when(pods.len() == 1 && ready == 1, || {
            format!("there are {} Pods, {ready} ready", pods.len())
        }))
    })
    .await?;
    harness.resources.create((0..20).map(|number| (format!("alone-{number}"), empty()))).await?;
    let count = harness.resources.converged(CONVERGED_WITHIN).await?;
    harness.note(format!("one replica without leader election brought {count} resources about"));
    ensure!(count >= 20, "only {count} resources are there");
    let alone =
        harness.pods().await?.into_iter().map(|pod| pod.name).next().context("the one replica is gone")?;
    let refused = usual.try_apply(&harness.cluster.kubeconfig, true).await?;
    let why = "leaderElection.enabled was off";
    ensure!(
        !refused.ok && refused.stderr.contains(why),
        "more replicas at once are not refused: {}",
        refused.stderr
    );
    harness.release = Release { replicas: 1, ..usual.clone() };
    harness.begin_epoch()?;
    tokio::try_join!(harness.apply(), none_beside(harness, &alone))?;
    harness.note("back with Leases, no replica was started before that one was gone");
    harness.release = usual;
    harness.apply().await?;
    harness.settle().await?;
    harness.resources.delete("alone-", Duration::from_secs(120)).await
}

/// Nothing but the Deployment's strategy keeps those that go by Leases from working beside one that does not.
async fn none_beside(harness: &Harness, alone: &str) -> Result<()> {
    loop {
        let pods = harness.pods().await?;
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
