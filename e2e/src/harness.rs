//! Everything that the drills work with.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use overlap_checker::records::{Replica, Stamp};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::collected::Collected;
use crate::images::Images;
use crate::judge::{Absence, Cause, Epoch, Loss, Story};
use crate::operator::{OperatorPod, is_settled, pods, shard_leases, spread};
use crate::options::{Options, Timings};
use crate::release::Release;
use crate::resources::{Resources, servers};
use crate::screen::Screen;
use crate::wait::{WaitStatus, until};

/// Where the operator is installed.
pub(crate) const OPERATOR_NAMESPACE: &str = "e2e-operator";

/// How many shards and replicas there are unless a drill says otherwise.
pub(crate) const SHARDS: u32 = 8;
pub(crate) const REPLICAS: u32 = 3;

/// Until shards are spread evenly. Pods may have to start first, on a machine that does other things as well; the bound on
/// unowned time is judged by the records and has nothing to do with it.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(180);
/// Until every resource is as asked for.
pub(crate) const CONVERGED_WITHIN: Duration = Duration::from_secs(300);

/// Everything that the drills work with.
pub(crate) struct Harness {
    pub(crate) options: Options,
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) images: Images,
    pub(crate) collected: Collected,
    pub(crate) resources: Resources,
    pub(crate) release: Release,
    pub(crate) story: Story,
    pub(crate) screen: Screen,
    pub(crate) dir: PathBuf,
    /// The longest of the transits that were in force, as the checker wants it.
    pub(crate) transit: Duration,
    /// Memcached servers that the current drill takes away itself, by Pod name.
    pub(crate) servers_taken_down: Vec<String>,
    /// Remarks of the current drill, for the report.
    pub(crate) notes: Vec<String>,
}

impl Harness {
    /// The release as every drill finds and leaves it.
    pub(crate) fn usual_release(options: &Options, images: &Images) -> Release {
        Release {
            chart: options.chart.clone(),
            name: "operator".to_owned(),
            namespace: OPERATOR_NAMESPACE.to_owned(),
            replicas: REPLICAS,
            shards: SHARDS,
            preset: options.preset,
            leader_elect: true,
            image: images.operator.clone(),
            env: options.env.clone(),
            extra: Value::Null,
        }
    }

    /// A line of progress that the report has too.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.screen.say(&format!("    {text}"));
        self.notes.push(text);
    }

    /// Brings the current release about: installs or upgrades it, and waits for its Pods.
    pub(crate) async fn apply(&self) -> Result<()> {
        match self.release.apply(&self.cluster.kubeconfig).await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.why_not_ready().await)),
        }
    }

    /// What the operator's Pods say that are not ready, each in one line.
    async fn why_not_ready(&self) -> String {
        let namespace = &self.release.namespace;
        let pods = pods(&self.client, namespace, &self.release.name).await.unwrap_or_default();
        let mut lines = Vec::new();
        for pod in pods.iter().filter(|pod| !pod.ready) {
            let log = self
                .cluster
                .kubectl(["logs", "--namespace", namespace, &pod.name, "--tail", "1"])
                .run()
                .await;
            let log = log.unwrap_or_else(|error| format!("{error:#}"));
            lines.push(format!("{} is not ready and last said: {}", pod.name, log.trim()));
        }
        lines.truncate(3);
        if lines.is_empty() { "every Pod is ready".to_owned() } else { lines.join("; ") }
    }

    /// Shards are to have owners from here on.
    pub(crate) fn begin_epoch(&mut self) -> Result<()> {
        self.story.epochs.push(Epoch {
            namespace: self.release.namespace.clone(),
            shards: self.release.shards,
            bound: self.release.timings().bound(),
            since: Stamp::now()?,
            until: None,
        });
        self.transit = self.transit.max(self.release.timings().transit());
        Ok(())
    }

    /// From here on nobody is there to own a shard.
    pub(crate) fn end_epoch(&mut self) -> Result<()> {
        if let Some(epoch) = self.story.epochs.last_mut() {
            epoch.until.get_or_insert(Stamp::now()?);
        }
        Ok(())
    }

    /// Timings that come into force while others still are.
    pub(crate) fn allow(&mut self, timings: Timings) {
        if let Some(epoch) = self.story.epochs.last_mut() {
            epoch.bound = epoch.bound.max(timings.bound());
        }
        self.transit = self.transit.max(timings.transit());
    }

    /// No replica could hold a Lease since `from`, through no fault of its own.
    pub(crate) fn absent_since(&mut self, from: Stamp) -> Result<()> {
        self.story.absences.push(Absence { from, to: Stamp::now()? });
        Ok(())
    }

    /// A replica was taken out.
    pub(crate) fn lost(&mut self, replica: Replica, at: Stamp, cause: Cause) {
        let bound = self.release.timings().bound();
        self.story.losses.push(Loss { replica, at, cause, bound });
    }

    /// The operator's Pods that are not being ended.
    pub(crate) async fn pods(&self) -> Result<Vec<OperatorPod>> {
        let pods = pods(&self.client, &self.release.namespace, &self.release.name).await?;
        Ok(pods.into_iter().filter(|pod| !pod.ending).collect())
    }

    /// Waits until the release has as many ready Pods as it should, and they share the shards evenly.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.settle_with(&[]).await
    }

    /// Like [`Self::settle`], with the Pods of other releases that share the Leases.
    pub(crate) async fn settle_with(&self, others: &[&Release]) -> Result<()> {
        let wanted = self.release.replicas + others.iter().map(|release| release.replicas).sum::<u32>();
        let shards = self.release.shards;
        until(&format!("{shards} shards to be spread over {wanted} replicas"), SETTLED_WITHIN, || async {
            let mut names = Vec::new();
            for release in std::iter::once(&self.release).chain(others.iter().copied()) {
                let pods = pods(&self.client, &release.namespace, &release.name).await?;
                names.extend(pods.into_iter().filter(|pod| !pod.ending && pod.ready).map(|pod| pod.name));
            }
            let leases = shard_leases(&self.client, &self.release.namespace).await?;
            let settled = names.len() == wanted as usize && is_settled(&leases, &names, shards);
            Ok(WaitStatus::when(settled, || {
                format!("{} of {wanted} Pods are ready, shards {}", names.len(), spread(&leases))
            }))
        })
        .await
    }

    /// Waits until every shard has a holder that is none of these.
    pub(crate) async fn owned_by_others(&self, lost: &[Replica]) -> Result<()> {
        let within = self.release.timings().bound() * 4 + Duration::from_secs(30);
        until("every shard to have a new owner", within, || async {
            let leases = shard_leases(&self.client, &self.release.namespace).await?;
            let owned = |holder: &Replica| !lost.contains(holder);
            let missing = leases.iter().filter(|lease| !lease.holder.as_ref().is_some_and(owned));
            let missing: Vec<_> = missing.map(|lease| lease.shard.to_string()).collect();
            Ok(WaitStatus::when(missing.is_empty(), || format!("shards {} have none", missing.join(", "))))
        })
        .await
    }

    /// The replica that holds most shards, on a worker.
    pub(crate) async fn busiest(&self) -> Result<(Replica, OperatorPod)> {
        let leases = shard_leases(&self.client, &self.release.namespace).await?;
        let pods = self.pods().await?;
        let held = |pod: &OperatorPod| {
            leases
                .iter()
                .filter_map(|lease| lease.holder.clone())
                .filter(|holder| holder.pod() == pod.name)
                .count()
        };
        let Some(pod) = pods.iter().max_by_key(|pod| held(pod)) else { bail!("the operator has no Pod") };
        let mut holders = leases.iter().filter_map(|lease| lease.holder.clone());
        let replica = holders.find(|holder| holder.pod() == pod.name);
        Ok((replica.with_context(|| format!("{} holds no shard", pod.name))?, pod.clone()))
    }

    /// Every replica that runs on a node and holds a shard.
    pub(crate) async fn holders_on(&self, node: &str) -> Result<Vec<Replica>> {
        let leases = shard_leases(&self.client, &self.release.namespace).await?;
        let pods = self.pods().await?;
        let here = |holder: &Replica| pods.iter().any(|pod| pod.node == node && pod.name == holder.pod());
        let mut holders: Vec<_> = leases.into_iter().filter_map(|lease| lease.holder).filter(here).collect();
        holders.sort();
        holders.dedup();
        Ok(holders)
    }

    /// From here on, errors of the servers on this node are the drill's own doing.
    pub(crate) async fn expect_server_errors_on(&mut self, node: &str) -> Result<()> {
        let servers = servers(&self.client).await?;
        self.servers_taken_down
            .extend(servers.into_iter().filter(|(_, on)| on == node).map(|(name, _)| name));
        Ok(())
    }

    /// Puts everything back to where the next drill expects it, after one that ended in the middle.
    pub(crate) async fn restore(&mut self) -> Result<()> {
        self.screen.say("    putting things back …");
        for node in &self.cluster.nodes {
            // Whatever of this was not necessary fails, and that is fine.
            let _ = node.thaw().await;
            let _ = node.power_on().await;
            let _ = node.mend_network().await;
            let _ = self.cluster.kubectl(["uncordon", &node.name]).attempt().await;
            crate::collected::keep(node).await?;
        }
        let usual = Self::usual_release(&self.options, &self.images);
        let second = Release { name: "second".into(), ..usual.clone() };
        let _ = second.remove(&self.cluster.kubeconfig).await;
        self.release = usual;
        self.apply().await?;
        self.settle().await?;
        self.resources.converged(CONVERGED_WITHIN).await.map(|_| ())
    }
}
