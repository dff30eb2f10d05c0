//! What happens to the node that runs most of the operator.

use std::time::Duration;

use anyhow::{Context, Result};
use overlap_checker::records::Stamp;

use crate::cluster::Node;
use crate::judge::{Cause, HeldUp};
use crate::stage::Stage;
use crate::wait::{Seen, until};

/// Until a node is back after it was off or stood still.
const BACK_WITHIN: Duration = Duration::from_secs(240);

/// The node loses power: the replicas on it end without a word, and so do the memcached servers.
pub(super) async fn off(stage: &mut Stage) -> Result<()> {
    let node = busiest_node(stage).await?;
    let holders = stage.holders_on(&node.name).await?;
    stage.doom_servers_on(&node.name).await?;
    stage.note(format!("{} loses power, with {} of the replicas", node.name, holders.len()));
    let at = Stamp::now()?;
    node.power_off().await?;
    for holder in &holders {
        stage.lost(holder.clone(), at.clone(), Cause::NodeOff);
    }
    let owned = stage.owned_by_others(&holders).await;
    node.power_on().await?;
    crate::evidence::keep(&node).await?;
    owned?;
    back(stage, &node).await
}

/// The node stands still and goes on, as a virtual machine does that is suspended or moved. Its replicas wake up in the belief that
/// they hold what others hold by then.
pub(super) async fn frozen(stage: &mut Stage) -> Result<()> {
    let node = busiest_node(stage).await?;
    let holders = stage.holders_on(&node.name).await?;
    stage.doom_servers_on(&node.name).await?;
    stage.note(format!("{} stands still, with {} of the replicas", node.name, holders.len()));
    let at = Stamp::now()?;
    node.freeze().await?;
    for holder in &holders {
        stage.lost(holder.clone(), at.clone(), Cause::NodeFrozen);
    }
    let owned = stage.owned_by_others(&holders).await;
    node.thaw().await?;
    owned?;
    back(stage, &node).await
}

/// The replica runs on, and none of its packets reach the API server, nor any answer it. What it sent last stays with TCP, which
/// delivers it when the network is mended: that is longer than the promise assumes, and such writes are reported apart.
pub(super) async fn cut_off(stage: &mut Stage) -> Result<()> {
    for _ in 0..stage.options.repeat {
        let (replica, pod) = stage.busiest().await?;
        let node = stage.cluster.node(&pod.node)?.clone();
        let process = node.process(&pod.name, "operator").await?;
        let rules = |action: &str| {
            let rule = |chain: &str, side: &str| {
                format!(
                    "nsenter --target {process} --net iptables -w {action} {chain} -p tcp -m multiport --{side} 443,6443 -j DROP"
                )
            };
            format!("{}; {}", rule("OUTPUT", "dports"), rule("INPUT", "sports"))
        };
        let at = node.shell_at(&rules("-I")).await.context("the replica could not be cut off")?;
        stage.lost(replica.clone(), at.clone(), Cause::CutOff);
        let owned = stage.owned_by_others(std::slice::from_ref(&replica)).await;
        let healed = node.shell_at(&rules("-D")).await.context("the replica could not be connected again")?;
        stage.story.held_up.push(HeldUp { replica, from: at, to: healed });
        owned?;
        stage.settle().await?;
    }
    Ok(())
}

/// As an administrator does before maintenance: the Pods are evicted, within what their disruption budgets allow.
pub(super) async fn drain(stage: &mut Stage) -> Result<()> {
    let (_, pod) = stage.busiest().await?;
    let node = pod.node;
    let holders = stage.holders_on(&node).await?;
    stage.doom_servers_on(&node).await?;
    stage.note(format!("{node} is drained, with {} of the replicas", holders.len()));
    let since = Stamp::now()?;
    let args = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=240s"];
    let drained = stage.cluster.kubectl(args).run().await;
    let owned = stage.owned_by_others(&holders).await;
    stage.cluster.kubectl(["uncordon", &node]).run().await?;
    drained?;
    owned?;
    let took = Stamp::now()?.boot.since(since.boot);
    stage.note(format!("the drain took {:.1} s", took.as_secs_f64()));
    Ok(())
}

async fn busiest_node(stage: &Stage) -> Result<Node> {
    let (_, pod) = stage.busiest().await?;
    stage.cluster.node(&pod.node).cloned()
}

async fn back(stage: &mut Stage, node: &Node) -> Result<()> {
    until(&format!("{} to be ready again", node.name), BACK_WITHIN, || async {
        let ready = stage.cluster.ready_nodes().await?;
        Ok(Seen::when(ready.contains(&node.name), || format!("ready are {}", ready.join(", "))))
    })
    .await
}
