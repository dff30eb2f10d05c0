//! The operator's replicas, each a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fleet::{GROUP, Replica, State, pod_name};
use kube_testkit::guard::Exit;
use kube_testkit::{Cluster, GuardedCommand, TestUser, WorkDir};
use overlap_checker::records::Stamp;

use super::DemoOptions;
use super::mutant::Mutant;
use ::fleet::LEADER_ELECTION_ID;

/// Longer than the operator's own drain timeout: what has not ended by then hangs.
const TERMINATION_GRACE: Duration = Duration::from_secs(60);

/// All replicas, in the order of their numbers.
pub(super) struct Fleet {
    pub(super) replicas: Vec<Replica>,
    dir: PathBuf,
}

impl Fleet {
    /// Starts all replicas.
    pub(super) fn start(
        options: &DemoOptions,
        operator: &Path,
        cluster: &Cluster,
        namespace: &str,
        dir: &WorkDir,
    ) -> Result<Self> {
        let mut fleet = Self { replicas: Vec::new(), dir: dir.path().to_owned() };
        for number in 0..options.replicas {
            let pod = pod_name(number);
            // A user of its own for each replica, so that the audit log tells them apart whatever they call
            // themselves. The embedded server authenticates nobody: there the User-Agent is all there is.
            let user = TestUser::new(&pod).in_group(GROUP);
            let kubeconfig = cluster.kubeconfig(&user).context("no kubeconfig could be written")?;
            let mut command = GuardedCommand::new(operator)
                .args(["--leader-elect", "--leader-election-id", LEADER_ELECTION_ID])
                .args(["--leader-election-namespace", namespace, "--watch-namespaces", namespace])
                .args(["--shards", &options.shards.to_string(), "--preset", options.preset.name()])
                // Any free port: several replicas share this machine.
                .args(["--metrics-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"])
                .arg("--reconcile-records")
                .arg(fleet.records_file(&pod))
                .env("KUBECONFIG", kubeconfig)
                .within(dir);
            if let Some(Mutant { variable, name }) = options.mutant {
                command = command.env(variable, name).env("MEMCACHED_OPERATOR_TEST_DELAY", "200ms..3s");
            }
            let log = dir.path().join(format!("{pod}.log"));
            fleet.replicas.push(Replica::start(&pod, namespace, &log, command)?);
        }
        Ok(fleet)
    }

    /// Starts a replica that has ended, as a kubelet would.
    pub(super) fn restart(&mut self, index: usize) -> Result<()> {
        self.replicas[index].restart()
    }

    /// Kills a replica and returns the instant just before.
    pub(super) fn kill(&mut self, index: usize) -> Result<Stamp> {
        self.replicas[index].kill()
    }

    /// Asks a replica to end and returns the instant just before.
    pub(super) fn terminate(&mut self, index: usize) -> Result<Stamp> {
        self.replicas[index].terminate()
    }

    /// Waits for the end of a terminated replica, which must be clean.
    pub(super) async fn clean_exit(&self, index: usize) -> Result<()> {
        let replica = &self.replicas[index];
        let (pod, log) = (replica.pod(), replica.log_file().display());
        match tokio::time::timeout(TERMINATION_GRACE, replica.exit()).await {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => bail!("{pod} did not end cleanly when terminated: {exit}; its log is {log}"),
            Err(_) => bail!("{pod} was still running {TERMINATION_GRACE:?} after SIGTERM; its log is {log}"),
        }
    }

    /// A replica that ended although nobody asked it to.
    pub(super) fn check(&self) -> Result<()> {
        for replica in self.replicas.iter().filter(|replica| replica.state() == State::Running) {
            if let Some(exit) = replica.try_exit() {
                bail!(
                    "{} ended by itself ({exit}); its log is {}, which ends with\n{}",
                    replica.pod(),
                    replica.log_file().display(),
                    replica.end_of_log()
                );
            }
        }
        Ok(())
    }

    /// The indices of the replicas that run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.replicas.len()).filter(|index| self.replicas[*index].state() == State::Running).collect()
    }

    /// The record files of all replicas. A restarted replica goes on in the file of its Pod.
    pub(super) fn records(&self) -> Vec<PathBuf> {
        self.replicas.iter().map(|replica| self.records_file(replica.pod())).collect()
    }

    fn records_file(&self, pod: &str) -> PathBuf {
        self.dir.join(format!("{pod}.records.jsonl"))
    }
}
