//! What the documentation promises to somebody with kubectl.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::operator::{ID, shard_leases, spread};
use crate::resources::NAMESPACE;
use crate::stage::Stage;
use crate::tool::Tool;
use crate::wait::{Seen, until};

pub(super) async fn settles(stage: &mut Stage) -> Result<()> {
    stage.settle().await?;
    let leases = shard_leases(&stage.client, &stage.release.namespace).await?;
    let spread = spread(&leases);
    stage.note(format!("the shards are spread {spread}"));
    ensure!(spread == "3/3/2", "8 shards of 3 replicas are spread {spread} instead of 3/3/2");
    Ok(())
}

/// The commands of the README, as a user would type them, pipes included.
pub(super) async fn commands(stage: &mut Stage) -> Result<()> {
    let namespace = stage.release.namespace.clone();
    let lease = format!("{ID}-shard-0");

    let leases = shell(stage, &format!("kubectl get lease -n {namespace}")).await?;
    for name in std::iter::once(ID.to_owned())
        .chain((0..stage.release.shards).map(|shard| format!("{ID}-shard-{shard}")))
    {
        let line = leases.lines().find(|line| line.split_whitespace().next() == Some(&name));
        ensure!(
            line.is_some_and(|line| line.contains('_')),
            "`kubectl get lease` shows no holder of {name}: {leases}"
        );
    }

    let holder = format!(
        "kubectl get lease {lease} -n {namespace} -o jsonpath='{{.spec.holderIdentity}}' | awk -F_ '{{print $1}}'"
    );
    let pod = shell(stage, &holder).await?.trim().to_owned();
    let pods = stage.pods().await?;
    ensure!(
        pods.iter().any(|one| one.name == pod),
        "`{holder}` gives {pod:?}, which is none of the operator's Pods"
    );
    stage.note(format!("the holder of shard 0 is Pod {pod}"));

    // Events are written after the Lease, and may be later.
    let command = format!("kubectl events -n {namespace} --for lease/{lease}");
    until("the event of an acquisition", Duration::from_secs(30), || async {
        let events = shell(stage, &command).await?;
        let told = events.contains("LeaderElection") && events.contains("became leader");
        Ok(Seen::when(told, || format!("`{command}` shows {events:?}")))
    })
    .await?;

    for kind in ["memcached", "mc", "memcacheds"] {
        let shown = shell(stage, &format!("kubectl get {kind} -n {NAMESPACE}")).await?;
        let mut lines = shown.lines();
        let heading: Vec<_> =
            lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        ensure!(
            heading == ["NAME", "READY", "REPLICAS", "AVAILABLE", "AGE"],
            "`kubectl get {kind}` shows the columns {heading:?}"
        );
        let served = lines.find(|line| line.starts_with("served-0")).unwrap_or_default();
        let columns: Vec<_> = served.split_whitespace().collect();
        ensure!(
            columns.get(1..4) == Some(&["2/2", "2", "True"]),
            "`kubectl get {kind}` shows {served:?} for served-0"
        );
    }
    Ok(())
}

async fn shell(stage: &Stage, command: &str) -> Result<String> {
    Tool::new("bash")
        .args(["-o", "pipefail", "-c", command])
        .kubeconfig(&stage.cluster.kubeconfig)
        .run()
        .await
}
