//! The number of shards changes while resources are edited.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fleet::LEADER_ELECTION_ID;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use overlap_checker::records::BootTime;
use serde::Deserialize;
use serde_json::json;

use super::{Harness, OPERATORS, install};
use crate::edits::{Edit, Editor};
use crate::reconciles::{Reconciled, begun_in};
use crate::subject::SHARDS_CONFIG_MAP;

/// Between two looks at the coordinator Lease. They take the API server little.
const BETWEEN: Duration = Duration::from_millis(20);

/// When a change of the number of shards had come how far.
pub(crate) struct Progressed {
    /// Just before it was asked for.
    pub(crate) asked: BootTime,
    /// When it was first seen to be committed, and settled.
    pub(crate) committed: BootTime,
    pub(crate) settled: BootTime,
}

/// The committed layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Committed {
    pub(super) shards: u16,
    pub(super) settled: bool,
}

/// Says how many shards are wanted.
pub(super) async fn want(client: &Client, namespace: &str, shards: u16) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SHARDS_CONFIG_MAP},
        "data": {"shards": shards.to_string()},
    });
    let written = maps.patch(SHARDS_CONFIG_MAP, &PatchParams::apply("bench"), &Patch::Apply(&wanted)).await;
    written.map(|_| ()).with_context(|| format!("the ConfigMap {SHARDS_CONFIG_MAP} could not be written"))
}

impl Harness {
    /// Begins to edit resources, so many a second.
    pub(crate) fn edit_steadily(&self, names: Vec<String>, per_second: u32) -> Editor {
        Editor::start(self.client.clone(), &install::kind(), names, per_second)
    }

    /// Changes the number of shards, and waits until the change is settled.
    pub(crate) async fn resize(&mut self, shards: u16) -> Result<Progressed> {
        let asked = BootTime::now();
        want(&self.client, OPERATORS, shards).await?;
        let committed = self.layout_is(&|layout| layout.shards == shards, "committed").await?;
        let settled = self.layout_is(&|layout| layout.shards == shards && layout.settled, "settled").await?;
        Ok(Progressed { asked, committed, settled })
    }

    async fn layout_is(&mut self, is: &dyn Fn(Committed) -> bool, so: &str) -> Result<BootTime> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), OPERATORS);
        let deadline = Instant::now() + self.limits.within;
        loop {
            let lease =
                leases.get(LEADER_ELECTION_ID).await.context("the coordinator Lease could not be read")?;
            if committed(&lease).is_some_and(is) {
                return Ok(BootTime::now());
            }
            self.still_running(deadline, || format!("the number of shards to be {so}"))?;
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// What has become of the edits: each with the end of the first reconcile that began with it, or a later edit, in sight.
    pub(crate) async fn acted_on(&mut self, edits: &[Edit]) -> Result<Vec<Reconciled>> {
        let deadline = Instant::now() + self.limits.within;
        loop {
            let logs: Vec<_> = self.replicas.iter().map(fleet::Replica::log).collect();
            let all: Vec<_> = logs.iter().flat_map(|log| begun_in(log)).collect();
            let missing = crate::edits::waits(edits, &all).iter().filter(|wait| wait.is_none()).count();
            if missing == 0 {
                return Ok(all);
            }
            self.still_running(deadline, || format!("{missing} edits to be acted on"))?;
            tokio::time::sleep(super::BETWEEN).await;
        }
    }
}

fn committed(lease: &Lease) -> Option<Committed> {
    serde_json::from_str(lease.annotations().get("cache.example.com/layout")?).ok()
}
