//! Replicas in this process: each with an identity, a client and records of its own.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use kube_testkit::{RealEnv, TestUser, eventually};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, OnOverrun, Timings};
use overlap_checker::records::RecordLog;
use overlap_checker::{Observations, Rules, judge};
use shard_router::{Options, Readiness, ReadinessProbe, Reconciler, RecordSink, RunError, ShardedApp};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::widget::{Widget, install};

pub(crate) const ID: &str = "widgets.test.shard-router.dev";
/// Longer than anything here should take, with two cores that others use too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One operator in the namespace of one test.
pub(crate) struct Fleet {
    pub(crate) env: RealEnv,
    pub(crate) widgets: Api<Widget>,
    pub(crate) leases: Api<Lease>,
    pub(crate) records: Records,
}

/// Records of all replicas of a fleet.
#[derive(Clone, Default)]
pub(crate) struct Records(Arc<Mutex<Vec<String>>>);

impl RecordSink for Records {
    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.lock().unwrap().push(line.to_owned());
        Ok(())
    }
}

impl Records {
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.0.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn of(&self, record: &str) -> Vec<serde_json::Value> {
        self.lines().into_iter().filter(|line| line["record"] == record).collect()
    }

    pub(crate) fn log(&self) -> RecordLog {
        let mut log = RecordLog::default();
        log.read_str("memory", &self.0.lock().unwrap().join("\n"));
        log
    }
}

/// A replica that runs.
pub(crate) struct Running {
    pub(crate) identity: String,
    pub(crate) readiness: ReadinessProbe,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// As on SIGTERM: resolves when everything is drained and released.
    pub(crate) async fn terminate(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(DEADLINE, self.task).await.expect("a termination ends").unwrap().unwrap();
    }

    pub(crate) async fn ready(&self) {
        tokio::time::timeout(DEADLINE, self.readiness.ready()).await.expect("the replica gets ready");
    }

    /// The sentence for which it is not ready.
    pub(crate) async fn unready_because(&self, part: &str) -> String {
        eventually(&format!("a replica to be unready because of {part:?}"), DEADLINE, || async {
            match self.readiness.get() {
                Readiness::NotReady { because } if because.contains(part) => Some(because),
                _ => None,
            }
        })
        .await
    }
}

impl Fleet {
    pub(crate) async fn new(why: &str) -> Option<Self> {
        drop(
            tracing_subscriber::fmt()
                .with_test_writer()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .try_init(),
        );
        let env = kube_testkit::real(why).await?;
        let client = env.admin();
        install(&client).await;
        let widgets = Api::namespaced(client.clone(), env.namespace());
        let leases = Api::namespaced(client, env.namespace());
        Some(Self { env, widgets, leases, records: Records::default() })
    }

    /// Settings that make a test short.
    pub(crate) fn options(&self, pod: &str, shards: u16) -> Options {
        let id = LeaderElectionId::new(ID).unwrap();
        let identity = Identity::of_pod(pod, &format!("{:08x}", fastrand::u32(..))).unwrap();
        let mut elections = ElectionsOptions::new(id, self.env.namespace(), identity);
        elections.timings = Timings::fast();
        elections.on_overrun = OnOverrun::Call(Arc::new(|why| panic!("{why}")));
        let records: Arc<dyn RecordSink> = Arc::new(self.records.clone());
        Options::for_crd::<Widget>(elections)
            .with_shards(shards.try_into().unwrap())
            .with_watch_namespaces([self.env.namespace()])
            .with_records(records)
            .with_product("widget-operator/0")
            .with_drain_timeout(Duration::from_secs(5))
    }

    pub(crate) fn start(&self, options: Options, reconciler: impl Reconciler<Widget>) -> Running {
        Self::assemble(self.app(options), reconciler)
    }

    pub(crate) fn app(&self, options: Options) -> (String, ShardedApp) {
        Self::app_by(self.env.config(&TestUser::admin()), options)
    }

    pub(crate) fn app_by(config: kube::Config, options: Options) -> (String, ShardedApp) {
        let identity = options.elections.identity.to_string();
        (identity, ShardedApp::new(config, options))
    }

    pub(crate) fn assemble(
        (identity, mut app): (String, ShardedApp),
        reconciler: impl Reconciler<Widget>,
    ) -> Running {
        app.controller::<Widget>().run(reconciler);
        Self::spawn(identity, app)
    }

    /// Runs a replica whose kinds are declared.
    pub(crate) fn spawn(identity: String, app: ShardedApp) -> Running {
        let readiness = app.readiness();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let task = tokio::spawn(app.run(shutdown));
        Running { identity, readiness, stop, task }
    }

    /// Who holds each shard; a shard that is free is not in the map.
    pub(crate) async fn holders(&self) -> BTreeMap<String, String> {
        let leases = self.leases.list(&ListParams::default()).await.unwrap();
        let held = leases.iter().filter(|lease| lease.name_any().contains("-shard-")).filter_map(|lease| {
            let holder = lease.spec.as_ref()?.holder_identity.clone()?;
            Some((lease.name_any(), holder)).filter(|(_, holder)| holder.contains('_'))
        });
        held.collect()
    }

    /// How many shards each replica holds, descending, once the shares are these.
    pub(crate) async fn settle_at(&self, shares: &[usize]) {
        let what = format!("shares to settle at {shares:?}");
        eventually(&what, DEADLINE, || async { (self.shares().await == shares).then_some(()) }).await;
    }

    pub(crate) async fn shares(&self) -> Vec<usize> {
        let mut counts = BTreeMap::<String, usize>::new();
        for holder in self.holders().await.into_values() {
            *counts.entry(holder).or_default() += 1;
        }
        let mut shares: Vec<_> = counts.into_values().collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        shares
    }

    /// Resolves when each of these widgets has had a reconcile that ended well.
    pub(crate) async fn reconciled(&self, names: &[String]) {
        eventually(&format!("{} widgets to be reconciled", names.len()), DEADLINE, || async {
            let ends = self.records.of("end");
            let done = |name: &String| {
                let cr = format!("{}/{name}", self.env.namespace());
                ends.iter().any(|end| end["cr"] == cr && end["outcome"] == "ok")
            };
            names.iter().all(done).then_some(())
        })
        .await;
    }
}

/// What the checker finds in the records.
pub(crate) fn violations(records: &Records) -> Vec<String> {
    violations_but(records, "")
}

/// The same, without one of its checks.
pub(crate) fn violations_but(records: &Records, left_out: &str) -> Vec<String> {
    let observations = Observations { records: records.log(), ..Observations::default() };
    let verdict = judge(&observations, &Rules::default());
    let checks = verdict.checks.iter().filter(|check| check.name != left_out);
    checks.flat_map(|check| &check.violations).map(|violation| violation.sentence.clone()).collect()
}
