//! What runs while something is measured: an API server, one operator, and a stand-in for the controllers and kubelets of a cluster.

mod install;
mod kill;
mod layout;
mod take_out;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fleet::{Replica, State, pod_name};
use kube::Client;
use kube::api::ApiResource;
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, ProcessIds, WorkDir, WorkloadStandIn};

use crate::audit::{Audit, Tally};
use crate::leases;
use crate::metrics;
use crate::progress::{Progress, Until};
use crate::resources::{self, Resources};
use crate::spent::{Cpu, Spent};
use crate::subject::{Extras, Kind, Subject};
use crate::usage::{self, Memory};

pub(crate) use layout::Progressed;

/// Where the replicas and their Leases are.
const OPERATORS: &str = "memcached-operators";
const POLICY: &str = include_str!("audit-policy.yaml");
/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(100);

/// How long things take at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For so long nothing may be asked for until something is over.
    pub(crate) quiet: Duration,
    /// What is awaited has to come within.
    pub(crate) within: Duration,
}

/// Everything that runs. Fields are dropped in this order: replicas before the API server, files last.
pub(crate) struct Harness {
    subject: Subject,
    replicas: Vec<Replica>,
    stand_in: Option<WorkloadStandIn>,
    progress: Progress,
    audit: Audit,
    client: Client,
    control_plane: ProcessIds,
    limits: Limits,
    cluster: Cluster,
    _policy: WorkDir,
}

/// An instant to count from.
pub(crate) struct Mark {
    at: Instant,
    tally: Tally,
    cpu: Cpu,
}

impl Harness {
    /// Starts an API server and the operator, and waits until it works and has nothing left to do.
    pub(crate) async fn start(subject: Subject, program: &Path, limits: Limits) -> Result<Self> {
        Self::start_with(subject, program, limits, Extras::default()).await
    }

    /// The same, and replicas record each reconcile.
    pub(crate) async fn start_recording(subject: Subject, program: &Path, limits: Limits) -> Result<Self> {
        let extras = Extras { recording: true, ..Extras::default() };
        Self::start_with(subject, program, limits, extras).await
    }

    /// The same, and replicas follow the number of shards in a ConfigMap.
    pub(crate) async fn start_resizable(subject: Subject, program: &Path, limits: Limits) -> Result<Self> {
        Self::start_with(subject, program, limits, Extras { recording: true, shards_config_map: true }).await
    }

    async fn start_with(subject: Subject, program: &Path, limits: Limits, extras: Extras) -> Result<Self> {
        let dir = WorkDir::create().context("a directory for the audit policy could not be made")?;
        let policy = dir.path().join("audit-policy.yaml");
        std::fs::write(&policy, POLICY).context("the audit policy could not be written")?;
        let options = ClusterOptions {
            // Its processes are measured.
            backend: Some(BackendChoice::Local),
            api_server_args: vec![format!("--audit-policy-file={}", policy.display())],
            ..ClusterOptions::default()
        };
        let cluster = Cluster::start(options).await.context("the API server did not start")?;
        let client = cluster.admin();
        let kind = install::install(&client, subject.kind, OPERATORS).await?;
        if let (true, Some(shards)) = (extras.shards_config_map, subject.shards) {
            layout::want(&client, OPERATORS, shards).await?;
        }
        let log = cluster.audit_log().context("the API server writes no audit log")?;
        let mut harness = Self {
            subject,
            replicas: Vec::new(),
            stand_in: None,
            progress: Progress::watch(client.clone(), resources::NAMESPACE, &kind),
            audit: Audit::new(log, OPERATORS),
            control_plane: cluster.process_ids().context("the API server is no process of this machine")?,
            client,
            limits,
            cluster,
            _policy: dir,
        };
        harness.start_replicas(program, extras)?;
        harness.settle(&kind).await?;
        Ok(harness)
    }

    fn start_replicas(&mut self, program: &Path, extras: Extras) -> Result<()> {
        let dir = self.cluster.dir();
        // A copy, as another build may replace the original while replicas are still to be started.
        let copy = dir.path().join("operator");
        std::fs::copy(program, &copy).with_context(|| format!("{} cannot be copied", program.display()))?;
        for number in 0..self.subject.replicas {
            let pod = pod_name(number);
            let command = self.subject.command(&copy, &self.cluster, &pod, OPERATORS, extras)?;
            let log = dir.path().join(format!("{pod}.log"));
            self.replicas.push(Replica::start(&pod, OPERATORS, &log, command)?);
        }
        Ok(())
    }

    /// The operator works once a first resource is ready, and each replica holds its part.
    async fn settle(&mut self, kind: &ApiResource) -> Result<()> {
        self.servers_get_ready();
        let first = Resources::create(&self.client, kind, "first", 1).await?;
        self.reach(&first, Until::Ready).await?;
        self.balance().await?;
        self.servers_stay();
        Ok(())
    }

    /// Waits until the shards are spread over the replicas and nothing is left to do.
    pub(crate) async fn balance(&mut self) -> Result<()> {
        if self.subject.kind == Kind::Ours {
            let client = self.client.clone();
            let deadline = Instant::now() + self.limits.within;
            while !leases::are_balanced(&client, OPERATORS, self.replicas.len()).await? {
                self.still_running(deadline, || "the shards to be spread over the replicas".into())?;
                tokio::time::sleep(BETWEEN).await;
            }
        }
        self.quiet().await
    }

    /// Lets the stand-in make servers ready, from now on.
    pub(crate) fn servers_get_ready(&mut self) {
        self.stand_in.get_or_insert_with(|| {
            WorkloadStandIn::start_in(self.client.clone(), resources::NAMESPACE, Duration::ZERO)
        });
    }

    /// From now on servers stay as they are.
    pub(crate) fn servers_stay(&mut self) {
        self.stand_in = None;
    }

    /// Creates so many resources as fast as they are accepted.
    pub(crate) async fn create(&self, count: u32) -> Result<Resources> {
        Resources::create(&self.client, &install::kind(), "cache", count).await
    }

    /// Changes one field of each resource that only the StatefulSet shows.
    pub(crate) async fn edit(&self, resources: &mut Resources) -> Result<()> {
        resources.edit(&self.client, &install::kind()).await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until all of these have come so far.
    pub(crate) async fn reach(&mut self, resources: &Resources, until: Until) -> Result<()> {
        let deadline = Instant::now() + self.limits.within;
        loop {
            let missing = self.progress.missing(&resources.generations, until);
            if missing == 0 {
                return Ok(());
            }
            self.still_running(deadline, || {
                format!("{until:?} of {missing} of {} resources", resources.generations.len())
            })?;
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Waits until the operator has had nothing to ask for a while.
    pub(crate) async fn quiet(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.limits.within;
        while self.audit.quiet_for()? < self.limits.quiet {
            self.still_running(deadline, || "the operator to come to rest".into())?;
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// From the first creation until the last of these was first seen to have come so far.
    pub(crate) fn took(&self, resources: &Resources, until: Until) -> Option<Duration> {
        Some(self.progress.last(&resources.generations, until)?.duration_since(resources.begun))
    }

    /// Ends one replica in good order and starts it again, and waits until it has taken over what is its part.
    pub(crate) async fn restart_one(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.limits.within;
        let pod = self.replicas[0].pod().to_owned();
        let begun = |tally: &Tally| tally.watches_begun.get(&pod).copied().unwrap_or_default();
        let before = begun(self.audit.read()?);
        self.replicas[0].terminate()?;
        while self.replicas[0].try_exit().is_none() {
            if Instant::now() > deadline {
                bail!("timed out after {:?} waiting for {pod} to end", self.limits.within);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        self.replicas[0].restart()?;
        while begun(self.audit.read()?) == before {
            self.still_running(deadline, || format!("{pod} to watch resources again"))?;
            tokio::time::sleep(BETWEEN).await;
        }
        self.balance().await
    }

    /// What each replica takes of memory.
    pub(crate) fn memory(&self) -> Result<Vec<Memory>> {
        self.replicas.iter().map(|replica| usage::memory(replica.pid())).collect()
    }

    /// Watches and connections that all replicas have open.
    pub(crate) fn open(&mut self) -> Result<(i64, usize)> {
        let port = self.cluster.server().port_u16().unwrap_or(443);
        let connections = self.replicas.iter().map(|replica| usage::connections(replica.pid(), port));
        let connections = connections.sum::<Result<usize>>()?;
        Ok((self.audit.read()?.open_watches.values().sum(), connections))
    }

    /// How many events of this API group the API server has sent, to all watches together.
    pub(crate) async fn watch_events(&self, group: &str) -> Result<f64> {
        metrics::sum(&self.client, "apiserver_watch_events_total", ("group", group)).await
    }

    pub(crate) fn mark(&mut self) -> Result<Mark> {
        Ok(Mark { at: Instant::now(), tally: self.audit.read()?.clone(), cpu: self.cpu()? })
    }

    /// What was asked for and used since then. A process that was started meanwhile counts from its start.
    pub(crate) fn since(&mut self, mark: &Mark) -> Result<Spent> {
        let tally = self.audit.read()?.since(&mark.tally);
        Ok(Spent::new(mark.at.elapsed(), tally, self.cpu()?.since(&mark.cpu)))
    }

    fn cpu(&self) -> Result<Cpu> {
        Ok(Cpu {
            api_server: usage::cpu_seconds(self.control_plane.api_server)?,
            etcd: usage::cpu_seconds(self.control_plane.etcd)?,
            replicas: self
                .replicas
                .iter()
                .map(|replica| usage::cpu_seconds(replica.pid()))
                .sum::<Result<f64>>()?,
        })
    }

    fn still_running(&self, deadline: Instant, awaited: impl Fn() -> String) -> Result<()> {
        for replica in &self.replicas {
            let told_to_end = matches!(replica.state(), State::Terminated | State::Killed);
            if let Some(exit) = replica.try_exit().filter(|_| !told_to_end) {
                bail!("{} ended by itself with {exit}: {}", replica.pod(), replica.end_of_log());
            }
        }
        if Instant::now() > deadline {
            let logs =
                self.replicas.iter().map(|replica| format!("\n{}: {}", replica.pod(), replica.end_of_log()));
            bail!(
                "timed out after {:?} waiting for {}{}",
                self.limits.within,
                awaited(),
                logs.collect::<String>()
            );
        }
        Ok(())
    }

    /// Ends everything.
    pub(crate) async fn stop(mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.terminate()?;
        }
        // What does not end in good order is killed below.
        let ends = self.replicas.iter().map(Replica::exit);
        let _ = tokio::time::timeout(Duration::from_secs(30), futures::future::join_all(ends)).await;
        self.replicas.clear();
        self.cluster.stop().await;
        Ok(())
    }
}
