//! The operator's replicas, each a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube_testkit::guard::Exit;
use kube_testkit::{Cluster, GuardedChild, GuardedCommand, Signal, TestUser, WorkDir, tail_of};
use overlap_checker::records::Stamp;

use super::DemoOptions;
use super::installation::{GROUP, LEADER_ELECTION_ID};

/// Longer than the operator's own drain timeout: what has not ended by then hangs.
const TERMINATION_GRACE: Duration = Duration::from_secs(60);

/// All replicas, in the order of their numbers.
pub(super) struct Fleet {
    pub(super) replicas: Vec<Replica>,
    operator: PathBuf,
    dir: PathBuf,
    args: Vec<String>,
    namespace: String,
    mutant: Option<String>,
}

/// A replica: a Pod's name, and the process that plays it now.
pub(super) struct Replica {
    pub(super) pod: String,
    pub(super) state: State,
    child: GuardedChild,
    kubeconfig: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Killed,
    Terminated,
}

impl Fleet {
    /// Starts all replicas.
    pub(super) fn start(
        options: &DemoOptions,
        operator: PathBuf,
        cluster: &Cluster,
        namespace: &str,
        dir: &WorkDir,
    ) -> Result<Self> {
        let shards = options.shards.to_string();
        let args = [
            "--leader-elect",
            "--leader-election-id",
            LEADER_ELECTION_ID,
            "--leader-election-namespace",
            namespace,
            "--watch-namespaces",
            namespace,
            "--shards",
            &shards,
            "--preset",
            options.preset.name(),
            // Any free port: several replicas share this machine.
            "--metrics-addr",
            "127.0.0.1:0",
            "--health-addr",
            "127.0.0.1:0",
        ];
        let mut fleet = Self {
            replicas: Vec::new(),
            operator,
            dir: dir.path().to_owned(),
            args: args.map(str::to_owned).to_vec(),
            namespace: namespace.to_owned(),
            mutant: options.mutant.clone(),
        };
        for number in 0..options.replicas {
            let pod = pod_name(number);
            // A user of its own for each replica, so that the audit log tells them apart whatever they call
            // themselves. The embedded server authenticates nobody: there the User-Agent is all there is.
            let user = TestUser::new(&pod).in_group(GROUP);
            let kubeconfig = cluster.kubeconfig(&user).context("no kubeconfig could be written")?;
            let child = fleet.spawn(&pod, &kubeconfig, dir)?;
            fleet.replicas.push(Replica { pod, state: State::Running, child, kubeconfig });
        }
        Ok(fleet)
    }

    /// Starts a replica that has ended, as a kubelet would.
    pub(super) fn restart(&mut self, index: usize, dir: &WorkDir) -> Result<()> {
        let child = self.spawn(&self.replicas[index].pod, &self.replicas[index].kubeconfig, dir)?;
        let replica = &mut self.replicas[index];
        (replica.child, replica.state) = (child, State::Running);
        Ok(())
    }

    fn spawn(&self, pod: &str, kubeconfig: &Path, dir: &WorkDir) -> Result<GuardedChild> {
        let log = log_file(&self.dir, pod);
        let mut command = GuardedCommand::new(&self.operator)
            .args(&self.args)
            .arg("--reconcile-records")
            .arg(self.records_file(pod))
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", pod)
            .env("POD_NAMESPACE", &self.namespace)
            .stdout(&log)
            .stderr(&log)
            .within(dir);
        if let Some(mutant) = &self.mutant {
            command =
                command.env("SHARD_ROUTER_MUTANT", mutant).env("MEMCACHED_OPERATOR_TEST_DELAY", "200ms..3s");
        }
        command.spawn().with_context(|| format!("{} could not be started as {pod}", self.operator.display()))
    }

    /// Kills a replica and returns the instant just before.
    pub(super) fn kill(&mut self, index: usize) -> Result<Stamp> {
        let replica = &mut self.replicas[index];
        let at = Stamp::now().context("the boot clock could not be read")?;
        replica.child.signal(Signal::Kill)?;
        replica.state = State::Killed;
        Ok(at)
    }

    /// Asks a replica to end and returns the instant just before.
    pub(super) fn terminate(&mut self, index: usize) -> Result<Stamp> {
        let replica = &mut self.replicas[index];
        let at = Stamp::now().context("the boot clock could not be read")?;
        replica.child.signal(Signal::Terminate)?;
        replica.state = State::Terminated;
        Ok(at)
    }

    /// Waits for the end of a terminated replica, which must be clean.
    pub(super) async fn clean_exit(&self, index: usize) -> Result<()> {
        let Replica { pod, child, .. } = &self.replicas[index];
        match tokio::time::timeout(TERMINATION_GRACE, child.wait()).await {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => {
                bail!("{pod} did not end cleanly when terminated: {exit}; its log is {}", self.log(index))
            }
            Err(_) => bail!(
                "{pod} was still running {TERMINATION_GRACE:?} after SIGTERM; its log is {}",
                self.log(index)
            ),
        }
    }

    /// A replica that ended although nobody asked it to.
    pub(super) fn check(&self) -> Result<()> {
        for (index, replica) in self.replicas.iter().enumerate() {
            if replica.state == State::Running
                && let Some(exit) = replica.child.try_exit()
            {
                let log = self.log(index);
                bail!(
                    "{} ended by itself ({exit}); its log is {log}, which ends with\n{}",
                    replica.pod,
                    tail_of(log.as_ref())
                );
            }
        }
        Ok(())
    }

    /// The indices of the replicas that run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.replicas.len()).filter(|index| self.replicas[*index].state == State::Running).collect()
    }

    /// The record files of all replicas. A restarted replica goes on in the file of its Pod.
    pub(super) fn records(&self) -> Vec<PathBuf> {
        self.replicas.iter().map(|replica| self.records_file(&replica.pod)).collect()
    }

    fn records_file(&self, pod: &str) -> PathBuf {
        self.dir.join(format!("{pod}.records.jsonl"))
    }

    fn log(&self, index: usize) -> String {
        log_file(&self.dir, &self.replicas[index].pod).display().to_string()
    }
}

/// The name of a replica's Pod, which is also its user's name.
pub(super) fn pod_name(number: u32) -> String {
    format!("memcached-operator-{number}")
}

fn log_file(dir: &Path, pod: &str) -> PathBuf {
    dir.join(format!("{pod}.log"))
}
