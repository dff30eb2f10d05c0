//! The operator's replicas, each a process of its own.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::fleet::{GROUP, State, pod_name};
use kube_testkit::guard::Exit;
use kube_testkit::{Cluster, GuardedCommand, TestUser, WorkDir};
use overlap_checker::records::{Body, RecordLog, Stamp};

use crate::settings::{DELAY, REPLICAS, SHARDS, Settings};

/// What a kubelet gives a Pod by default. The operator's own drain timeout is below it.
const GRACE: Duration = Duration::from_secs(30);

/// All replicas, in the order of their numbers.
pub(crate) struct Fleet {
    replicas: Vec<Replica>,
    /// How many processes had to end because they had been stopped beyond LeaseDuration.
    pub(crate) overruns: u32,
}

struct Replica {
    process: ::fleet::Replica,
    records: PathBuf,
    /// How long the file was when this process began to add to it.
    records_before: u64,
    /// This process has been stopped once, and may find that it has to end when it goes on.
    was_frozen: bool,
    /// Since when it is known to watch the Leases without a break.
    watches_since: Option<Instant>,
}

/// How a process ends that was stopped beyond LeaseDuration with work under way: another replica may have acted, and what
/// cannot be joined before LeaseDuration ends the process.
const OVERRUN: Exit = Exit::Code(70);

impl Fleet {
    /// Starts all replicas; `mutant` breaks one rule in each of them.
    pub(crate) fn start(
        settings: &Settings,
        mutant: Option<&str>,
        cluster: &Cluster,
        namespace: &str,
        dir: &WorkDir,
    ) -> Self {
        // A copy, as another build may replace the original while replicas are still to be started.
        let operator = dir.path().join("memcached-operator");
        std::fs::copy(env!("CARGO_BIN_EXE_memcached-operator"), &operator).expect("the operator is built");
        let replicas = (0..REPLICAS).map(|number| {
            let pod = pod_name(number);
            // A user of its own, so that the audit log tells the replicas apart whatever they call themselves.
            let user = TestUser::new(&pod).in_group(GROUP);
            let kubeconfig = cluster.kubeconfig(&user).expect("a kubeconfig can be written");
            let records = records_file(dir, number);
            let log = dir.path().join(format!("{pod}.log"));
            let mut command = GuardedCommand::new(&operator)
                .args(["--preset", "fast", "--drain-timeout", "10s", "--watch-namespaces", namespace])
                .args(["--metrics-addr", "off", "--health-addr", "off", "--shards", &SHARDS.to_string()])
                .arg("--reconcile-records")
                .arg(&records)
                .env("KUBECONFIG", kubeconfig)
                .env("MEMCACHED_OPERATOR_TEST_DELAY", DELAY)
                .env("MEMCACHED_OPERATOR_TEST_SEED", settings.seed.to_string())
                .within(dir);
            if let Some(mutant) = mutant {
                command = command.env("SHARD_ROUTER_MUTANT", mutant);
            }
            let process = ::fleet::Replica::start(&pod, namespace, &log, command);
            Replica {
                process: process.expect("the operator can be started"),
                records,
                records_before: 0,
                was_frozen: false,
                watches_since: None,
            }
        });
        Self { replicas: replicas.collect(), overruns: 0 }
    }

    /// The numbers of the replicas that run, neither stopped nor on their way out.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.replicas.len())
            .filter(|index| self.replicas[*index].process.state() == State::Running)
            .collect()
    }

    pub(crate) fn pod(&self, index: usize) -> &str {
        self.replicas[index].process.pod()
    }

    /// Whether its process has got as far as to write records. One that a signal hits before it has said what to do on
    /// signals just ends.
    pub(crate) fn has_begun(&self, index: usize) -> bool {
        let Replica { records, records_before, .. } = &self.replicas[index];
        std::fs::metadata(records).is_ok_and(|file| file.len() > *records_before)
    }

    /// Whether its records say that a reconcile runs right now.
    pub(crate) fn is_reconciling(&self, index: usize) -> bool {
        let Replica { records, records_before, .. } = &self.replicas[index];
        reconciles_at_end(records, *records_before).unwrap_or(false)
    }

    /// Each of these returns the instant just before the signal; none if the process has just ended by itself.
    pub(crate) fn kill(&mut self, index: usize) -> Option<Stamp> {
        self.replicas[index].process.kill().ok()
    }

    pub(crate) fn terminate(&mut self, index: usize) -> Option<Stamp> {
        self.replicas[index].process.terminate().ok()
    }

    pub(crate) fn freeze(&mut self, index: usize) -> Option<Stamp> {
        (self.replicas[index].was_frozen, self.replicas[index].watches_since) = (true, None);
        self.replicas[index].process.freeze().ok()
    }

    pub(crate) fn thaw(&mut self, index: usize) -> Option<Stamp> {
        self.replicas[index].process.thaw().ok()
    }

    /// Starts a replica that has ended, or was told to, as a kubelet would. Says what was wrong with its end.
    pub(crate) async fn restart(&mut self, index: usize) -> Option<String> {
        let problem = self.ended(index).await;
        let replica = &mut self.replicas[index];
        replica.records_before = std::fs::metadata(&replica.records).map_or(0, |file| file.len());
        replica.process.restart().expect("the operator can be started again");
        (replica.was_frozen, replica.watches_since) = (false, None);
        problem
    }

    /// Since when a replica that runs is known to watch the Leases without a break: a takeover counts from there.
    pub(crate) fn watches_since(&self, index: usize) -> Option<Instant> {
        self.replicas[index].watches_since
    }

    /// Restarts replicas that have ended although nobody asked them to. Says which, unless they had to.
    pub(crate) async fn restart_ended(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for index in self.running() {
            if self.replicas[index].process.try_exit().is_some() {
                problems.extend(self.restart(index).await);
            }
            if self.has_begun(index) {
                self.replicas[index].watches_since.get_or_insert_with(Instant::now);
            }
        }
        problems
    }

    /// Terminates all replicas, and says whose end was not clean.
    pub(crate) async fn end(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for index in self.running() {
            // One that has ended by itself is told from the others below.
            let _ = self.terminate(index);
        }
        for index in 0..self.replicas.len() {
            problems.extend(self.ended(index).await);
        }
        problems
    }

    async fn ended(&mut self, index: usize) -> Option<String> {
        let Replica { process, was_frozen, .. } = &self.replicas[index];
        let pod = process.pod();
        let Ok(exit) = tokio::time::timeout(GRACE, process.exit()).await else {
            return Some(format!("{pod} was still there {GRACE:?} after it was told to end"));
        };
        match process.state() {
            State::Killed => None,
            _ if *was_frozen && exit == OVERRUN => {
                self.overruns += 1;
                None
            }
            State::Terminated if exit == Exit::Code(0) => None,
            State::Terminated => {
                Some(format!("{pod} ended with {exit} on SIGTERM; it has to be exit code 0"))
            }
            State::Running | State::Frozen => Some(format!("{pod} ended by itself with {exit}")),
        }
    }
}

/// Looks at the last records only: what runs began seconds ago.
fn reconciles_at_end(records: &Path, from: u64) -> std::io::Result<bool> {
    const LAST: u64 = 32 * 1024;
    let mut file = File::open(records)?;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(LAST).max(from)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut log = RecordLog::default();
    log.read_str("the last records", &String::from_utf8_lossy(&bytes));
    let mut running = HashSet::new();
    for record in log.records {
        match record.body {
            Body::Begin { reconcile, .. } => drop(running.insert(reconcile)),
            Body::End { reconcile, .. } | Body::Aborted { reconcile, .. } => drop(running.remove(&reconcile)),
            _ => {}
        }
    }
    Ok(!running.is_empty())
}

/// Where a Pod's processes write their records, one after the other.
pub(crate) fn records_file(dir: &WorkDir, number: u32) -> PathBuf {
    dir.path().join(format!("{}.records.jsonl", pod_name(number)))
}
