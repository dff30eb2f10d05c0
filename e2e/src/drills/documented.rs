//! What the documentation promises to somebody with kubectl.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::Harness;
use crate::operator::{ID, shard_leases, spread};
use crate::resources::NAMESPACE;
use crate::tool::Tool;
use crate::wait::{WaitStatus, until};

pub(super) async fn settles(harness: &mut Harness) -> Result<()> {
    harness.settle().await?;
    let leases = shard_leases(&harness.client, &harness.release.namespace).await?;
    let spread = spread(&leases);
    harness.note(format!("the shards are spread {spread}"));
    ensure!(spread == "3/3/2", "8 shards of 3 replicas are spread {spread} instead of 3/3/2");
    Ok(())
}

/// The commands of docs/operations.md as they are written there, and of the README, pipes included.
pub(super) async fn commands(harness: &mut Harness) -> Result<()> {
    leases(harness).await?;
    holder(harness).await?;
    events(harness).await?;
    memcached(harness).await
}

async fn leases(harness: &Harness) -> Result<()> {
    let command = written("$ kubectl -n $NS get leases -l ")?;
    let shown = shell(harness, &command).await?;
    let mut lines = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let heading = lines.next().unwrap_or_default();
    ensure!(
        heading == ["LEASE", "HOLDER", "TRANSITIONS", "INSTALLATION"],
        "`{command}` shows the columns {heading:?}"
    );
    let lines: Vec<_> = lines.collect();
    let installation = format!("{}/{}", harness.release.namespace, harness.release.name);
    let pods = harness.pods().await?;
    let shards = (0..harness.release.shards).map(|shard| format!("{ID}-shard-{shard}"));
    for name in std::iter::once(ID.to_owned()).chain(shards) {
        let line = lines.iter().find(|line| line.first() == Some(&name.as_str()));
        let [_, holder, _, named] = line.map_or(&[][..], Vec::as_slice) else {
            bail!("`{command}` shows no {name}: {shown}");
        };
        let pod = holder.split('_').next().unwrap_or_default();
        ensure!(
            pods.iter().any(|one| one.name == pod),
            "`{command}` shows the holder {holder} of {name}, which is no Pod"
        );
        ensure!(
            *named == installation,
            "`{command}` shows the installation {named} of {name} instead of {installation}"
        );
    }
    let command = written("$ kubectl -n $NS get lease $ID -o jsonpath='{.spec.renewTime}'")?;
    let shown = shell(harness, &command).await?;
    shown
        .trim()
        .parse::<jiff::Timestamp>()
        .with_context(|| format!("`{command}` shows {shown:?}, which is no time"))?;
    Ok(())
}

/// The Pod is the part of the holder before the `_`.
async fn holder(harness: &mut Harness) -> Result<()> {
    let command =
        "kubectl -n $NS get lease $ID-shard-0 -o jsonpath='{.spec.holderIdentity}' | awk -F_ '{print $1}'";
    let pod = shell(harness, command).await?.trim().to_owned();
    let pods = harness.pods().await?;
    ensure!(
        pods.iter().any(|one| one.name == pod),
        "`{command}` gives {pod:?}, which is none of the operator's Pods"
    );
    harness.note(format!("the holder of shard 0 is Pod {pod}"));
    Ok(())
}

async fn events(harness: &Harness) -> Result<()> {
    let command = written("$ kubectl -n $NS events --for lease/")?;
    // Events are written after the Lease, and may be later.
    until("the event of an acquisition", Duration::from_secs(30), || async {
        let events = shell(harness, &command).await?;
        let told = events.contains("LeaderElection") && events.contains("became leader");
        Ok(WaitStatus::when(told, || format!("`{command}` shows {events:?}")))
    })
    .await
}

async fn memcached(harness: &Harness) -> Result<()> {
    for kind in ["memcached", "mc", "memcacheds"] {
        let command = format!("kubectl get {kind} -n {NAMESPACE}");
        let shown = shell(harness, &command).await?;
        let mut lines = shown.lines();
        let heading: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
        ensure!(
            heading == ["NAME", "READY", "REPLICAS", "AVAILABLE", "AGE"],
            "`{command}` shows the columns {heading:?}"
        );
        let served = lines.find(|line| line.starts_with("served-0")).unwrap_or_default();
        let columns: Vec<_> = served.split_whitespace().collect();
        ensure!(
            columns.get(1..4) == Some(&["2/2", "2", "True"]),
            "`{command}` shows {served:?} for served-0"
        );
    }
    Ok(())
}

/// The command of docs/operations.md that begins so.
fn written(beginning: &str) -> Result<String> {
    let documentation = include_str!("../../../docs/operations.md");
    let line = documentation.lines().find(|line| line.starts_with(beginning));
    let line = line
        .with_context(|| format!("docs/operations.md has no line that begins with {beginning:?} any more"))?;
    Ok(line.trim_start_matches("$ ").to_owned())
}

async fn shell(harness: &Harness, command: &str) -> Result<String> {
    let namespace = &harness.release.namespace;
    let script = format!("NS={namespace} ID={ID}; {command}");
    Tool::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .kubeconfig(&harness.cluster.kubeconfig)
        .run()
        .await
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn the_commands_are_where_they_were() {
        for beginning in ["$ kubectl -n $NS get leases -l ", "$ kubectl -n $NS events --for lease/"] {
            written(beginning).expect("it is documented");
        }
    }
}
