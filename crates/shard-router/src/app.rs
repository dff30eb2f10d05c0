//! [`ShardedApp`]: the entry point.

mod controller;
mod rights;

use std::{future::Future, sync::Arc};

use kube::{
    core::{ApiResource, DynamicObject},
    discovery::Scope,
};
use lease_core::Connection;

pub use self::{controller::Controller, rights::RequiredRights};
use crate::{
    error::{CannotFence, LegacyLock, RunError},
    kind_type::KindType,
    kinds::{Kind, Kinds},
    observability::{
        absent_namespaces,
        metrics::Metrics,
        readiness::{ReadinessProbe, ReadinessSwitch},
    },
    options::Options,
    replica,
    routing::kind_set::{KindMode, KindSet, KindSetError},
    setup::Setup,
    sharded::Sharded,
    task::{NamedTask, TaskContext},
};

/// One replica of a sharded operator: for each shard that it holds, a kube-runtime controller for each kind.
///
/// ```no_run
/// # use std::{convert::Infallible, sync::Arc};
/// # use k8s_openapi::api::apps::v1::StatefulSet;
/// # use shard_router::{Action, Held, Options, Sharded, ShardedApp};
/// # async fn example<Cache: Sharded, User: Sharded>(
/// #     config: kube::Config, options: Options,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let mut app = ShardedApp::new(config, options);
/// app.controller::<Cache>().owns::<StatefulSet>().run(|cache: Arc<Cache>, held: Held| async move {
///     let _client = held.client(); // works only while this replica holds the shard
///     Ok::<_, Infallible>(Action::await_change())
/// });
/// app.controller::<User>().run(|user: Arc<User>, held: Held| async move {
///     Ok::<_, Infallible>(Action::await_change())
/// });
/// app.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Several kinds
///
/// A shard is a part of the work on all kinds: whoever holds shard n reconciles the resources of each kind whose bucket belongs to shard n, under one
/// set of Leases, one plan and one readiness. Each kind has its own watches, caches and queue. A kind that fails (a missing right or definition, a
/// list that keeps failing) holds up itself alone; readiness names it.
///
/// The kinds, and whether each is sharded, are part of the layout that the first coordinator commits. A replica that declares other kinds does not work and says so: a replica
/// that does not know a kind would leave out the resources of this kind in each shard that it holds. To add or remove a kind, or to
/// change whether it is sharded, have the layout [replaced](Options::layout_replacement).
#[must_use = "an app does nothing until `run` is awaited"]
pub struct ShardedApp {
    connection: Connection,
    options: Options,
    kinds: Vec<Registered>,
    metrics: Metrics,
    readiness: ReadinessSwitch,
    replica_tasks: Vec<NamedTask>,
    coordinator_tasks: Vec<NamedTask>,
}

/// A kind that was declared.
struct Registered {
    /// As `Kind.group`.
    name: String,
    mode: KindMode,
    /// As `plural.group`.
    resource: String,
    /// The types that it owns, as `plural.group`.
    owned: Vec<String>,
    /// What the resources depend on besides, as `plural.group`.
    watched: Vec<String>,
    /// Why it cannot be reconciled as it was declared.
    refused: Option<RunError>,
    start: Box<dyn FnOnce(Arc<Setup>) -> Arc<dyn Kind> + Send>,
}

impl ShardedApp {
    /// A replica that connects to the API server with this configuration or client.
    pub fn new(connection: impl Into<Connection>, options: Options) -> Self {
        Self {
            connection: connection.into(),
            options,
            kinds: Vec::new(),
            metrics: Metrics::default(),
            readiness: ReadinessSwitch::starting(),
            replica_tasks: Vec::new(),
            coordinator_tasks: Vec::new(),
        }
    }

    /// Declares a kind that this operator reconciles, namespaced or cluster-scoped. It takes effect with [`Controller::run`].
    ///
    /// The resources of a cluster-scoped kind are listed as a whole, whatever [`Options::watch_namespaces`] says. The rights on them need a ClusterRole.
    pub fn controller<K: Sharded>(&mut self) -> Controller<'_, K> {
        Controller::new(self, KindType::of::<K>(), KindMode::Sharded)
    }

    /// Declares a kind of which one replica reconciles all resources: the holder of the coordinator Lease. For a kind with few resources, or one whose reconciles
    /// must not run beside each other on several replicas. Its controller is declared like that of a sharded kind.
    ///
    /// The promise is the same as for shards: when the Lease changes hands, no resource is reconciled by two replicas at once, the new holder waits until its
    /// caches contain everything that the old one saw, and running reconciles end before the Lease is released.
    ///
    /// These resources get no label, and their children need none. So the watches of owned types are not filtered: they show the objects of everybody, of which only the
    /// children are cached. [`Held::shard`](crate::Held::shard) and [`Held::bucket`](crate::Held::bucket) are `None`.
    ///
    /// ```no_run
    /// # use std::{convert::Infallible, sync::Arc};
    /// # use shard_router::{Action, Held, Sharded, ShardedApp};
    /// # fn example<Site: Sharded, Settings: Sharded>(app: &mut ShardedApp) {
    /// app.controller::<Site>().run(|site: Arc<Site>, held: Held| async move { Ok::<_, Infallible>(Action::await_change()) });
    /// app.unsharded::<Settings>().run(|settings: Arc<Settings>, held: Held| async move {
    ///     Ok::<_, Infallible>(Action::await_change())
    /// });
    /// # }
    /// ```
    pub fn unsharded<K: Sharded>(&mut self) -> Controller<'_, K> {
        Controller::new(self, KindType::of::<K>(), KindMode::Unsharded)
    }

    /// The same for a kind that is not known at compile time; see [`dynamic_controller`](Self::dynamic_controller).
    pub fn dynamic_unsharded(
        &mut self,
        resource: ApiResource,
        scope: Scope,
    ) -> Controller<'_, DynamicObject> {
        Controller::new(self, KindType::dynamic(resource, scope), KindMode::Unsharded)
    }

    /// Declares a kind that is not known at compile time. What it is called and whether it is namespaced may be configured, or come from
    /// [discovery](kube::discovery). Each replica has to declare the same kinds.
    ///
    /// ```no_run
    /// # use std::{convert::Infallible, sync::Arc};
    /// # use shard_router::{Action, Held, ShardedApp};
    /// use kube::{api::{ApiResource, DynamicObject, GroupVersionKind}, discovery::Scope};
    /// # fn example(app: &mut ShardedApp) {
    /// let sites = ApiResource::from_gvk(&GroupVersionKind::gvk("web.example.com", "v1", "Site"));
    /// app.dynamic_controller(sites, Scope::Namespaced).run(|site: Arc<DynamicObject>, held: Held| async move {
    ///     let _pages = site.data.pointer("/spec/pages");
    ///     Ok::<_, Infallible>(Action::await_change())
    /// });
    /// # }
    /// ```
    pub fn dynamic_controller(
        &mut self,
        resource: ApiResource,
        scope: Scope,
    ) -> Controller<'_, DynamicObject> {
        Controller::new(self, KindType::dynamic(resource, scope), KindMode::Sharded)
    }

    /// Sets the metrics to use, so that the caller can serve them.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// A task that runs on every replica, from its start to its shutdown (RunNonLeaderElected).
    ///
    /// After a restore of etcd the task is asked to end and started again, because its watches and caches contain a state that no longer exists. If it
    /// does not end within `drain_timeout`, it is aborted. With leader election off, restores are not detected: restart the process then.
    pub fn run_on_every_replica<F, Fut>(mut self, name: &str, task: F) -> Self
    where
        F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.replica_tasks.push(NamedTask::new(name, task));
        self
    }

    /// A task that runs once per operator: on the replica that holds the coordinator Lease, for as long as it does.
    pub fn run_on_coordinator<F, Fut>(mut self, name: &str, task: F) -> Self
    where
        F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.coordinator_tasks.push(NamedTask::new(name, task));
        self
    }

    /// The readiness of this replica, for a readiness endpoint.
    pub fn readiness(&self) -> ReadinessProbe {
        self.readiness.probe()
    }

    /// Runs until `shutdown` resolves; then drains the reconciles, releases the Leases and returns. Must be called within a tokio runtime, on which the
    /// reconciles run. To abort a shutdown that takes too long, drop this future and end the process.
    ///
    /// # Errors
    ///
    /// If no kind was declared, or one twice; if a namespaced kind owns one that is cluster-scoped; if the resource lock is a legacy one; if the options are invalid, or ask for fencing without what it needs; or if no client could be created from the connection. Later failures are
    /// reported by readiness, metrics and logs, and are retried.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        LegacyLock::refuse(self.options.elections.resource_lock)?;
        CannotFence::check(&self.options)?;
        let declared = kind_set(&self.kinds)?;
        if let Some(refused) = self.kinds.iter_mut().find_map(|kind| kind.refused.take()) {
            return Err(refused);
        }
        let connection = self.connection.clone().with_user_agent(&self.options.user_agent())?;
        let setup = Arc::new(Setup::new(&self.connection, self.options, declared, self.metrics)?);
        let recorder = setup.recorder.clone();
        recorder.replica_start(setup.options.elections.identity.pod(), &setup.options.user_agent());
        setup.metrics.starts(setup.clock.wall());
        let resources: Vec<_> = self.kinds.iter().map(|kind| kind.resource.as_str()).collect();
        let resources = resources.join(", ");
        let absent = absent_namespaces::report(
            setup.clients.unobserved(),
            &setup.options.watch_namespaces,
            &resources,
            setup.clock.clone(),
        );
        let kinds = Kinds::new(self.kinds.into_iter().map(|kind| (kind.start)(setup.clone())).collect());
        let triggers = kinds.clone();
        let running = async {
            if setup.options.elections.leader_election {
                let tasks =
                    replica::Tasks { every_replica: self.replica_tasks, coordinator: self.coordinator_tasks };
                replica::run(setup.clone(), kinds, connection, tasks, self.readiness, shutdown).await
            } else {
                let tasks = self.replica_tasks.into_iter().chain(self.coordinator_tasks).collect();
                replica::unelected::run(setup.clone(), kinds, connection, tasks, self.readiness, shutdown)
                    .await
            }
        };
        tokio::select! {
            ended = running => ended?,
            () = absent => {}
            () = triggers.forward_triggers() => {}
        }
        recorder.replica_end("clean");
        Ok(())
    }
}

/// All kinds as the layout records them.
fn kind_set(kinds: &[Registered]) -> Result<KindSet, RunError> {
    let kinds = kinds.iter().map(|kind| (kind.name.as_str(), kind.mode));
    KindSet::new(kinds).map_err(|error| match error {
        KindSetError::Empty => RunError::NoKind,
        KindSetError::Twice(kind) => RunError::KindTwice { kind },
        error => RunError::Kinds(error),
    })
}
