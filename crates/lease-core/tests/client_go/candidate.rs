//! A client-go candidate in a process of its own.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use kube_testkit::{GuardedChild, GuardedCommand, RealEnv, Signal, TestUser, eventually};

use crate::build;
use crate::lock::LOCK;
use crate::support::{DEADLINE, ID};

/// The program of the version that has the lock, or why there is none on this machine.
pub(crate) fn program() -> Result<PathBuf, String> {
    if LOCK.is_legacy() { build::program_in("client_go_legacy") } else { build::program() }
}

/// The process and what it prints.
pub(crate) struct GoCandidate {
    process: GuardedChild,
    log: PathBuf,
    kubeconfig: PathBuf,
}

impl GoCandidate {
    /// Contends for the Lease of all these tests under `<name>_1`, with the timings of the Rust candidates but this
    /// LeaseDuration.
    pub(crate) fn start(env: &RealEnv, name: &str, lease_duration: Duration) -> Self {
        let program = program().expect("the caller has asked whether there is one");
        let kubeconfig = env.kubeconfig(&TestUser::admin()).expect("a kubeconfig");
        let log = env.dir().path().join(format!("{}-{name}.log", env.namespace()));
        // The present version has only Leases, and no flag for it.
        let lock = LOCK.is_legacy().then(|| format!("--resource-lock={LOCK}"));
        let process = GuardedCommand::new(program)
            .args(lock)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(["--namespace", env.namespace(), "--lease", ID, "--identity", &format!("{name}_1")])
            .args(["--lease-duration", &format!("{}s", lease_duration.as_secs())])
            .args(["--renew-deadline", "3s", "--retry-period", "1s"])
            .stdout(&log)
            .stderr(&log)
            .spawn()
            .expect("the candidate starts");
        Self { process, log, kubeconfig }
    }

    /// When it first said this.
    pub(crate) async fn says(&self, what: &str) -> Timestamp {
        eventually(
            &format!("the client-go candidate to say {what:?}, as in {}", self.log.display()),
            DEADLINE,
            || std::future::ready(self.said(what)),
        )
        .await
    }

    pub(crate) fn said(&self, what: &str) -> Option<Timestamp> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let line = log.lines().filter_map(|line| line.split_once(' ')).find(|(_, said)| *said == what)?;
        Timestamp::from_nanosecond(line.0.parse().ok()?).ok()
    }

    /// Asks it to end in good order: it releases.
    ///
    /// That waits until it has just had the answer to a renewal. The chronicle may show a renewal before its writer knows
    /// of it, and client-go 0.23 does not repeat a release that is refused because of a renewal still on its way.
    pub(crate) async fn terminate(&self) {
        let updates = self.count("updated");
        eventually("the client-go candidate to renew", DEADLINE, || {
            std::future::ready((self.count("updated") > updates).then_some(()))
        })
        .await;
        self.process.signal(Signal::Terminate).expect("it runs");
    }

    /// How often it has said this.
    fn count(&self, what: &str) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter_map(|line| line.split_once(' ')).filter(|(_, said)| *said == what).count()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

impl Drop for GoCandidate {
    fn drop(&mut self) {
        self.process.kill();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}
