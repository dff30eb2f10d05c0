//! What all shards of one replica share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kube::Client;
use lease_core::{Clock, Connection, PoolError};
use tokio::sync::Semaphore;

use crate::{
    authority::clients::Clients,
    caches::{OwnedType, resource},
    membership::watched_namespaces::WatchedNamespaces,
    names::Names,
    observability::{
        log_limit::LogLimit, metrics::Metrics, problem::Problem, progress::Progress, records::Recorder,
        rights::Rights,
    },
    options::Options,
    reconciler::Reconciler,
    rng::SharedRng,
    routing::layout::Layout,
    sharded::Sharded,
    stamper::{StampConfig, Stamper},
    watch::{backoff::WatchBackoff, scope::Scope, watcher::Watcher},
};

/// Everything a shard runner needs besides its term.
pub(crate) struct Setup<K: Sharded, R: Reconciler<K>> {
    pub(crate) options: Options,
    pub(crate) names: Names,
    pub(crate) layout: Layout,
    pub(crate) reconciler: R,
    pub(crate) owned: Vec<OwnedType<K>>,
    /// The namespaces of the resources and their children.
    pub(crate) scope: Scope,
    /// For requests of reconcilers.
    pub(crate) clients: Clients,
    /// For writes to custom resources outside of a reconcile.
    pub(crate) stamper_clients: Clients,
    pub(crate) stamp: Arc<StampConfig>,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Limits the concurrent reconciles of all shards.
    pub(crate) turns: Semaphore,
    /// Limits concurrent starts of shards.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) rng: SharedRng,
    pub(crate) reconciles: AtomicU64,
    /// The problem that prevents this replica from coordinating, for its readiness.
    pub(crate) coordination_problem: Problem,
    /// The problem with the CRD because of which stamps fail.
    pub(crate) definition: Arc<Problem>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) progress: Arc<Progress>,
    /// For lines that would otherwise be logged repeatedly.
    pub(crate) log_limit: LogLimit,
}

impl<K: Sharded, R: Reconciler<K>> Setup<K, R> {
    /// Does not send anything yet.
    ///
    /// # Errors
    /// If no client could be created from the connection.
    pub(crate) fn new(
        connection: &Connection,
        options: Options,
        reconciler: R,
        owned: Vec<OwnedType<K>>,
        metrics: Metrics,
    ) -> Result<Self, PoolError> {
        let clock = options.elections.clock.clone();
        let rights = Arc::new(Rights::new(clock.clone(), options.longest_silence()));
        let clients =
            |user_agent: &str| Clients::new(connection.clone(), user_agent, clock.clone(), rights.clone());
        let scope = Scope::of(&options.watch_namespaces);
        let resources =
            std::iter::once(resource::<K>()).chain(owned.iter().map(|owned| owned.resource.clone()));
        let progress = Progress::new(clock.clone(), resources.collect(), scope.watches());
        let identity = options.elections.identity.as_str();
        Ok(Self {
            names: options.names(),
            layout: options.layout().of_kind(format!("{}.{}", K::kind(&()), K::group(&()))),
            reconciler,
            scope,
            clients: clients(&options.user_agent())?,
            stamper_clients: clients(&options.stamper_user_agent())?,
            stamp: Arc::new(StampConfig::new(&options.names(), options.key_label.clone())),
            recorder: Recorder::new(options.records.clone(), clock.clone(), identity),
            metrics,
            turns: Semaphore::new(options.concurrency.max(1)),
            starts: Arc::new(Semaphore::new(options.concurrent_starts.max(1))),
            rng: SharedRng::seeded(options.seed),
            reconciles: AtomicU64::new(1),
            coordination_problem: Problem::default(),
            definition: Arc::default(),
            progress: Arc::new(progress),
            log_limit: LogLimit::default(),
            owned,
            clock,
            rights,
            options,
        })
    }

    /// A sentence that says what keeps this replica from working on its shards. Also updates the metrics.
    pub(crate) fn problem(&self) -> Option<String> {
        self.metrics.stalled(&self.progress.stalls());
        let threshold = self.options.elections.timings.lease_duration();
        self.definition.get().or_else(|| self.rights.sentence()).or_else(|| self.progress.sentence(threshold))
    }

    /// Which namespaces this replica watches.
    pub(crate) fn watched_namespaces(&self) -> WatchedNamespaces {
        WatchedNamespaces::of(&self.options.watch_namespaces)
    }

    /// The number of the next reconcile.
    pub(crate) fn next_reconcile(&self) -> u64 {
        self.reconciles.fetch_add(1, Ordering::Relaxed)
    }

    /// A stamper that writes through `client`.
    pub(crate) fn stamper(&self, client: Client, delay: Duration) -> Stamper {
        Stamper {
            config: self.stamp.clone(),
            client,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            definition: self.definition.clone(),
            log_limit: self.log_limit.clone(),
            delay,
            before_recording: None,
            backoff_seed: self.rng.seed(),
        }
    }

    /// The order in which the objects of a list are reconciled.
    pub(crate) fn order(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.rng.seed())
    }

    /// Starts watches.
    pub(crate) fn watcher(&self) -> Watcher {
        Watcher { clock: self.clock.clone(), log_limit: self.log_limit.clone() }
    }

    /// The backoff of one watch.
    pub(crate) fn watch_backoff(&self) -> WatchBackoff {
        WatchBackoff::seeded(self.rng.seed())
    }
}
