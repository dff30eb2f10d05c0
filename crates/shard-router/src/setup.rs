//! What all shards of one replica share, and what all shards share of one kind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::stream::BoxStream;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Client,
    core::ObjectMeta,
    runtime::{events::Reporter, reflector::ObjectRef},
};
use lease_core::{Clock, Connection, PoolError};
use tokio::sync::Semaphore;

use crate::{
    authority::buckets::{BucketGroup, RunningBuckets},
    authority::clients::Clients,
    authority::refused::Resend,
    caches::{ChildLabels, OwnedType},
    children::Applier,
    external::External,
    kind_type::KindType,
    kinds::Kinds,
    membership::{known_layout::KnownLayout, watched_namespaces::WatchedNamespaces},
    names::Names,
    news::Property,
    observability::{
        log_limit::LogLimit,
        metrics::{KindMetrics, Metrics},
        problem::Problem,
        progress::Progress,
        records::Recorder,
        rights::Rights,
    },
    options::Options,
    ownership::Ownership,
    reconciler::{ErrorPolicy, Reconciler},
    rng::SharedRng,
    routing::{
        kind_set::{KindMode, KindSet},
        layout::{Layout, selector, unstamped_selector},
    },
    rules,
    sharded::{Eligibility, ShardedObject},
    stamper::{StampConfig, Stamper},
    turns::Turns,
    watch::{backoff::WatchBackoff, scope::Scope, watcher::Watcher},
    watched::{Dependency, Registry, WatchedType},
};

/// What all kinds and shards of one replica share.
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) names: Names,
    /// Whether the names of resources need that of their kind beside them.
    pub(crate) several_kinds: bool,
    /// What this replica is set to. Its number of shards is the first that is wanted.
    pub(crate) layout: Layout,
    /// What is committed, as far as this replica knows.
    pub(crate) layouts: Arc<KnownLayout>,
    /// Which reconciles run, over all holds.
    pub(crate) running_buckets: Arc<RunningBuckets>,
    /// The namespaces of the resources and their children.
    pub(crate) scope: Scope,
    /// For requests of reconcilers.
    pub(crate) clients: Clients,
    /// For writes to custom resources outside of a reconcile.
    pub(crate) stamper_clients: Clients,
    /// For the user's tasks beside the reconciles.
    pub(crate) task_clients: Clients,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Limits the concurrent reconciles of all shards, and says who is next.
    pub(crate) turns: Arc<Turns>,
    /// Limits concurrent starts of shards.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) rng: SharedRng,
    pub(crate) reconciles: AtomicU64,
    holds: AtomicU64,
    /// The problem that prevents this replica from coordinating, for its readiness.
    pub(crate) coordination_problem: Problem,
    pub(crate) rights: Arc<Rights>,
    /// For lines that would otherwise be logged repeatedly.
    pub(crate) log_limit: LogLimit,
    /// The watches that all shards share.
    pub(crate) watched: Registry,
    /// The rows of the ownership table.
    pub(crate) ownership: Ownership,
}

impl Setup {
    /// For these kinds. Does not send anything yet.
    ///
    /// # Errors
    /// If no client could be created from the connection.
    pub(crate) fn new(
        connection: &Connection,
        options: Options,
        kinds: KindSet,
        metrics: Metrics,
    ) -> Result<Self, PoolError> {
        let clock = options.elections.clock.clone();
        let rights = Arc::new(Rights::new(clock.clone(), options.longest_silence()));
        let resend = options.fencing.map(|_| Resend::new(clock.clone(), metrics.clone()));
        let clients = |user_agent: &str| {
            let clients = Clients::new(connection.clone(), user_agent, clock.clone(), rights.clone());
            clients.map(|clients| clients.with_resend(resend.clone()))
        };
        let identity = options.elections.identity.as_str();
        let (scope, log_limit) = (Scope::of(&options.watch_namespaces), LogLimit::default());
        let (reconcilers, rng) = (clients(&options.user_agent())?, SharedRng::seeded(options.seed));
        let watching = {
            let clients = reconcilers.clone();
            move |observer| clients.watching(observer)
        };
        let watcher = Watcher { clock: clock.clone(), log_limit: log_limit.clone() };
        Ok(Self {
            names: options.names(),
            several_kinds: kinds.len() > 1,
            layout: options.layout().of_kinds(kinds),
            layouts: Arc::default(),
            running_buckets: Arc::default(),
            ownership: Ownership::new(options.fencing.and_then(|_| options.pod.clone())),
            holds: AtomicU64::new(1),
            watched: Registry::new(Box::new(watching), scope.clone(), watcher, rng.clone()),
            scope,
            clients: reconcilers,
            stamper_clients: clients(&options.stamper_user_agent())?,
            task_clients: clients(&options.task_user_agent())?,
            recorder: Recorder::new(options.records.clone(), clock.clone(), identity),
            metrics,
            turns: Turns::new(options.concurrency),
            starts: Arc::new(Semaphore::new(options.concurrent_starts.max(1))),
            rng,
            reconciles: AtomicU64::new(1),
            coordination_problem: Problem::default(),
            log_limit,
            clock,
            rights,
            options,
        })
    }

    /// A sentence that says what keeps this replica from working on its shards. Also updates the metrics.
    pub(crate) fn problem(&self, kinds: &Kinds) -> Option<String> {
        self.metrics.stalled(&kinds.stalls());
        let threshold = self.options.elections.timings.lease_duration();
        let definition = kinds.definition_problem();
        let rights = || self.rights.sentence();
        definition
            .or_else(rights)
            .or_else(|| self.ownership.problem())
            .or_else(|| kinds.stall_sentence(threshold))
    }

    /// Takes in a layout that this coordinator Lease carries. One that differs from the settings is not followed: holders would acknowledge it, and then start buckets as
    /// the settings say.
    pub(crate) fn learn_layout(&self, coordinator: &Lease, layout: &Layout) {
        if rules::may_work_by(layout, &self.layout).is_ok() {
            self.layouts.committed(coordinator, layout);
        }
    }

    /// Which namespaces this replica watches.
    pub(crate) fn watched_namespaces(&self) -> WatchedNamespaces {
        WatchedNamespaces::of(&self.options.watch_namespaces)
    }

    /// The number of the next reconcile.
    pub(crate) fn next_reconcile(&self) -> u64 {
        self.reconciles.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next hold of a shard.
    pub(crate) fn next_hold(&self) -> u64 {
        self.holds.fetch_add(1, Ordering::Relaxed)
    }

    /// Who publishes events on resources.
    pub(crate) fn reporter(&self) -> Reporter {
        let controller = self.options.product_name().to_owned();
        Reporter { controller, instance: Some(self.options.elections.identity.to_string()) }
    }

    /// Who applies children.
    fn applier(&self) -> Applier {
        let domain = &self.options.elections.domain;
        Applier::new(self.options.product_name(), domain).with_clock(self.clock.clone())
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

/// What a user declares about one kind, besides its reconciler.
pub(crate) struct Declared<K: ShardedObject> {
    /// Which resources are taken; all, if there is no selector.
    pub(crate) labels: Option<String>,
    pub(crate) owned: Vec<OwnedType<K>>,
    pub(crate) watched: Vec<WatchedType<K>>,
    pub(crate) news: Option<Property<K>>,
    pub(crate) external: Vec<BoxStream<'static, ObjectRef<K>>>,
    pub(crate) debounce: Option<Duration>,
    pub(crate) error_policy: Option<ErrorPolicy<K>>,
}

impl<K: ShardedObject> Default for Declared<K> {
    fn default() -> Self {
        Self {
            labels: None,
            owned: Vec::new(),
            watched: Vec::new(),
            news: None,
            external: Vec::new(),
            debounce: None,
            error_policy: None,
        }
    }
}

/// What all shards of one replica share of one kind.
pub(crate) struct KindSetup<K: ShardedObject, R: Reconciler<K>> {
    pub(crate) setup: Arc<Setup>,
    pub(crate) kind: KindType,
    pub(crate) mode: KindMode,
    /// As `Kind.group`.
    pub(crate) name: String,
    pub(crate) reconciler: R,
    /// The label selector of the resources; empty for all.
    labels: String,
    pub(crate) owned: Vec<OwnedType<K>>,
    /// What the resources depend on and do not own.
    pub(crate) watched: Vec<Arc<dyn Dependency<K>>>,
    /// Which changes of a resource are news to the reconciler; all, if there is none.
    pub(crate) news: Option<Property<K>>,
    pub(crate) external: External<K>,
    /// How long changes are held back, so that those of a burst fold.
    pub(crate) debounce: Option<Duration>,
    /// What to do after a failure, instead of what the reconciler says.
    pub(crate) error_policy: Option<ErrorPolicy<K>>,
    pub(crate) stamp: Arc<StampConfig>,
    /// Applies children.
    pub(crate) applier: Arc<Applier>,
    pub(crate) metrics: KindMetrics,
    /// The problem with the CRD because of which stamps fail.
    pub(crate) definition: Arc<Problem>,
    pub(crate) progress: Arc<Progress>,
}

impl<K: ShardedObject, R: Reconciler<K>> KindSetup<K, R> {
    pub(crate) fn new(
        setup: Arc<Setup>,
        kind: KindType,
        mode: KindMode,
        reconciler: R,
        declared: Declared<K>,
    ) -> Self {
        let Declared { labels, owned, watched, news, external, debounce, error_policy } = declared;
        let watched: Vec<_> = watched.into_iter().map(|watched| watched.attach(&setup.watched)).collect();
        let resources = std::iter::once(&kind).chain(owned.iter().map(|owned| &owned.kind));
        let resources = resources.map(KindType::resource);
        let resources = resources.chain(watched.iter().map(|watched| watched.resource().to_owned()));
        let of_kind = setup.scope.of_kind(&kind).watches();
        let progress = Progress::new(setup.clock.clone(), resources.collect(), of_kind)
            .depending_on(watched.iter().map(|watched| watched.progress().clone()).collect());
        let name = kind.name();
        Self {
            metrics: setup.metrics.of_kind(&name),
            kind,
            mode,
            name,
            reconciler,
            labels: labels.unwrap_or_default(),
            owned,
            watched,
            news,
            external: External::new(external),
            debounce,
            error_policy,
            stamp: Arc::new(StampConfig::new(&setup.names, setup.options.key_label.clone())),
            applier: Arc::new(setup.applier()),
            definition: Arc::default(),
            progress: Arc::new(progress),
            setup,
        }
    }

    /// How the records call a resource of this kind: `namespace/name`, and with several kinds `Kind.group/namespace/name`. The namespace of what is in none is
    /// empty: `/name`.
    pub(crate) fn record_name(&self, cr: &str) -> String {
        let slash = if cr.contains('/') { "" } else { "/" };
        if self.setup.several_kinds { format!("{}/{slash}{cr}", self.name) } else { format!("{slash}{cr}") }
    }

    /// Reports children without the bucket label.
    pub(crate) fn child_labels(&self) -> ChildLabels {
        let (log_limit, clock) = (self.setup.log_limit.clone(), self.setup.clock.clone());
        let label = (self.mode == KindMode::Sharded).then(|| self.stamp.bucket_label.as_str().into());
        ChildLabels::new(label, self.metrics.clone(), log_limit, clock)
    }

    /// The label selector of the resources in the open buckets of a group; empty for all.
    pub(crate) fn selector(&self, group: &BucketGroup) -> String {
        self.selected(self.child_selector(group))
    }

    /// The label selector of those resources that this one selects and that are taken.
    pub(crate) fn selected(&self, selector: String) -> String {
        let both = [selector, self.labels.clone()];
        let both: Vec<_> = both.into_iter().filter(|selector| !selector.is_empty()).collect();
        both.join(",")
    }

    /// The label selector of the children in the open buckets of a group; empty for all.
    pub(crate) fn child_selector(&self, group: &BucketGroup) -> String {
        group.open().map_or_else(String::new, |buckets| selector(&self.stamp.bucket_label, &buckets))
    }

    /// Whether an object with this bucket in its status may be reconciled.
    pub(crate) fn eligibility(&self, meta: &ObjectMeta, recorded: Option<u8>) -> Eligibility {
        match self.mode {
            KindMode::Sharded => self.stamp.eligibility(meta, recorded),
            KindMode::Unsharded => Eligibility::Eligible(None),
        }
    }

    /// A stamper that writes through `client`.
    pub(crate) fn stamper(&self, client: Client, delay: Duration) -> Stamper {
        Stamper {
            kind: self.kind.clone(),
            config: self.stamp.clone(),
            selector: self.selected(unstamped_selector(&self.stamp.bucket_label)),
            client,
            clock: self.setup.clock.clone(),
            metrics: self.metrics.clone(),
            definition: self.definition.clone(),
            log_limit: self.setup.log_limit.clone(),
            delay,
            before_recording: None,
            backoff_seed: self.setup.rng.seed(),
        }
    }
}
