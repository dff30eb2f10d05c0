//! Everything that is running, and the way to watch it.

use std::time::{Duration, Instant};

use ::fleet::State;
use anyhow::{Result, bail};
use kube::Client;
use kube_testkit::{Cluster, WorkDir, WorkloadStandIn};
use overlap_checker::{CreatedCr, Fault};

use super::fleet::Fleet;
use super::installation::Installation;
use super::records::Records;
use super::resources::Watched;
use super::screen::Screen;
use super::view::View;
use ::fleet::shard_leases;

/// How often the picture is renewed.
const EVERY: Duration = Duration::from_millis(300);

/// Everything that is running. Fields are dropped in this order: replicas before the API server, files last.
pub(super) struct Harness {
    pub(super) fleet: Fleet,
    pub(super) stand_in: Option<WorkloadStandIn>,
    pub(super) installation: Installation,
    pub(super) client: Client,
    pub(super) cluster: Cluster,
    pub(super) dir: WorkDir,
    pub(super) screen: Screen,
    pub(super) records: Records,
    pub(super) resources: Watched,
    pub(super) crs: Vec<CreatedCr>,
    pub(super) faults: Vec<Fault>,
    /// When the demo started, with everything built.
    pub(super) started: Instant,
    /// From there until the API server was ready.
    pub(super) ready: Duration,
    pub(super) shards: u32,
}

impl Harness {
    /// Looks once.
    pub(super) async fn look(&mut self) -> Result<View> {
        let namespace = &self.installation.namespace;
        let leases = shard_leases(&self.client, namespace).await?;
        self.records.follow(&self.fleet.records())?;
        let pods = self.fleet.replicas.iter().map(|replica| {
            let remark = match replica.state() {
                State::Running | State::Frozen => "",
                State::Killed => " (killed)",
                State::Terminated => " (terminated)",
            };
            (replica.pod().to_owned(), remark)
        });
        Ok(View {
            leases,
            crs: self.records.crs_by_shard().into_iter().map(|(shard, count)| (shard.0, count)).collect(),
            reconciled: self.resources.reconciled(),
            resources: self.crs.len(),
            pods: pods.collect(),
        })
    }

    /// Shows the state until it is as wanted; false if it was not `within`.
    pub(super) async fn watch(
        &mut self,
        what: &str,
        within: Duration,
        mut done: impl FnMut(&View, &Records) -> bool,
    ) -> Result<bool> {
        let started = Instant::now();
        loop {
            let view = self.look().await?;
            if done(&view, &self.records) {
                return Ok(true);
            }
            self.fleet.check()?;
            if started.elapsed() > within {
                return Ok(false);
            }
            self.screen.show(what, &view);
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Like [`Self::watch`]; not to see it is an error.
    pub(super) async fn await_view(
        &mut self,
        what: &str,
        within: Duration,
        done: impl FnMut(&View, &Records) -> bool,
    ) -> Result<()> {
        if !self.watch(what, within, done).await? {
            bail!("timed out after {within:?} waiting for {what}");
        }
        Ok(())
    }

    /// Puts the table where it stays.
    pub(super) async fn keep_table(&mut self) -> Result<()> {
        let view = self.look().await?;
        self.screen.keep(&view);
        Ok(())
    }
}
