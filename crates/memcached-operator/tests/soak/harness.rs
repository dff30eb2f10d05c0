//! Everything that runs.

use ::fleet::Installation;
use kube::Client;
use kube_testkit::{Cluster, ClusterOptions, WorkDir, WorkloadStandIn};

use crate::collector::CollectorStandIn;
use crate::fleet::Fleet;
use crate::probe::Probe;
use crate::settings::{Settings, say};

const NAMESPACE: &str = "soak";

/// Everything that runs. Fields are dropped in this order: replicas before the API server, files last.
pub(crate) struct Harness {
    pub(crate) fleet: Fleet,
    _workloads: WorkloadStandIn,
    _collector: CollectorStandIn,
    pub(crate) probe: Probe,
    pub(crate) client: Client,
    pub(crate) namespace: &'static str,
    pub(crate) cluster: Cluster,
    pub(crate) dir: WorkDir,
}

impl Harness {
    /// Starts an API server of its own and the replicas, or says visibly why it cannot.
    pub(crate) async fn start(settings: &Settings, mutant: Option<&str>) -> Option<Self> {
        let why = "it restarts the API server, and its audit log is half of the data that is judged";
        let cluster = kube_testkit::exclusive(why, ClusterOptions::default()).await?;
        let client = cluster.admin();
        let installation = Installation::new(client.clone()).replicas_as_users(NAMESPACE);
        installation.install().await.expect("it can be installed");
        let dir = WorkDir::create().expect("a work directory can be made");
        Some(Self {
            fleet: Fleet::start(settings, mutant, &cluster, NAMESPACE, &dir),
            _workloads: WorkloadStandIn::start(client.clone(), std::time::Duration::ZERO),
            _collector: CollectorStandIn::start(client.clone(), NAMESPACE),
            probe: Probe::start(client.clone()),
            client,
            namespace: NAMESPACE,
            cluster,
            dir,
        })
    }
}

impl Drop for Harness {
    /// After a failure, logs, records and the audit log are needed to find out what happened.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.dir.keep();
        if let Some(audit) = self.cluster.audit_log()
            && let Err(error) = std::fs::copy(&audit, self.dir.path().join("audit.jsonl"))
        {
            say(&format!("the audit log could not be kept: {error}"));
        }
    }
}
