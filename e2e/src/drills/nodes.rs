//! What happens to the node that runs most of the operator.

use std::time::Duration;

use anyhow::{Context, Result};
use overlap_checker::records::Stamp;

use crate::cluster::Node;
use crate::harness::Harness;
use crate::judge::{Cause, HeldUp};
use crate::wait::{WaitStatus, until};

/// Until a node is back after it was off or stood still.
const BACK_WITHIN: Duration = Duration::from_secs(240);

/// The node loses power: the replicas on it end without a word, and so do the memcached servers.
pub(super) async fn off(harness: &mut Harness) -> Result<()> {
    let node = busiest_node(harness).await?;
    let holders = harness.holders_on(&node.name).await?;
    harness.expect_server_errors_on(&node.name).await?;
    harness.note(format!("{} loses power, with {} of the replicas", node.name, holders.len()));
    let at = Stamp::now()?;
    node.power_off().await?;
    for holder in &holders {
        harness.lost(holder.clone(), at.clone(), Cause::NodeOff);
    }
    let owned = harness.owned_by_others(&holders).await;
    node.power_on().await?;
    crate::collected::keep(&node).await?;
    owned?;
    back(harness, &node).await
}

/// The node stands still and goes on, as a virtual machine does that is suspended or moved. Its replicas wake up in the belief that
/// they hold what others hold by then.
pub(super) async fn frozen(harness: &mut Harness) -> Result<()> {
    let node = busiest_node(harness).await?;
    let holders = harness.holders_on(&node.name).await?;
    harness.expect_server_errors_on(&node.name).await?;
    harness.note(format!("{} stands still, with {} of the replicas", node.name, holders.len()));
    let at = Stamp::now()?;
    node.freeze().await?;
    for holder in &holders {
        harness.lost(holder.clone(), at.clone(), Cause::NodeFrozen);
    }
    let owned = harness.owned_by_others(&holders).await;
    node.thaw().await?;
    owned?;
    back(harness, &node).await
}

/// The replica runs on, and none of its packets reach the API server, nor any answer it. What it sent last stays with TCP, which
/// delivers it when the network is mended: that is longer than the promise assumes, and such writes are reported apart.
pub(super) async fn cut_off(harness: &mut Harness) -> Result<()> {
    for _ in 0..harness.options.repeat {
        let (replica, pod) = harness.busiest().await?;
        let node = harness.cluster.node(&pod.node)?.clone();
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
        harness.lost(replica.clone(), at.clone(), Cause::CutOff);
        let owned = harness.owned_by_others(std::slice::from_ref(&replica)).await;
        let healed = node.shell_at(&rules("-D")).await.context("the replica could not be connected again")?;
        harness.story.held_up.push(HeldUp { replica, from: at, to: healed });
        owned?;
        harness.settle().await?;
    }
    Ok(())
}

/// As an administrator does before maintenance: the Pods are evicted, within what their disruption budgets allow.
pub(super) async fn drain(harness: &mut Harness) -> Result<()> {
    let (_, pod) = harness.busiest().await?;
    let node = pod.node;
    let holders = harness.holders_on(&node).await?;
    harness.expect_server_errors_on(&node).await?;
    harness.note(format!("{node} is drained, with {} of the replicas", holders.len()));
    let since = Stamp::now()?;
    let args = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=240s"];
    let drained = harness.cluster.kubectl(args).run().await;
    let owned = harness.owned_by_others(&holders).await;
    harness.cluster.kubectl(["uncordon", &node]).run().await?;
    drained?;
    owned?;
    let took = Stamp::now()?.boot.since(since.boot);
    harness.note(format!("the drain took {:.1} s", took.as_secs_f64()));
    Ok(())
}

pub(super) async fn busiest_node(harness: &Harness) -> Result<Node> {
    let (_, pod) = harness.busiest().await?;
    harness.cluster.node(&pod.node).cloned()
}

pub(super) async fn back(harness: &mut Harness, node: &Node) -> Result<()> {
    until(&format!("{} to be ready again", node.name), BACK_WITHIN, || async {
        let ready = harness.cluster.ready_nodes().await?;
        Ok(WaitStatus::when(ready.contains(&node.name), || format!("ready are {}", ready.join(", "))))
    })
    .await
}
