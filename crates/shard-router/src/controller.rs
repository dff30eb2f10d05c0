//! [`ShardedController`]: the entry point.

use std::{future::Future, sync::Arc};

use lease_core::Connection;

use crate::{
    caches::{OwnedType, resource},
    error::RunError,
    observability::{
        absent_namespaces,
        metrics::Metrics,
        readiness::{ReadinessProbe, ReadinessSwitch},
    },
    options::Options,
    owned_resource::OwnedResource,
    reconciler::Reconciler,
    replica,
    setup::Setup,
    sharded::Sharded,
    task::{NamedTask, TaskContext},
};

/// One replica of a sharded operator: a kube-runtime controller for each shard it holds. All replicas under one
/// LeaderElectionID reconcile the same kind.
///
/// ```no_run
/// # use std::{convert::Infallible, sync::Arc, time::Duration};
/// # use k8s_openapi::api::apps::v1::StatefulSet;
/// # use shard_router::{Action, Held, Options, ShardedController, Sharded};
/// # async fn example<Cache: Sharded>(
/// #     config: kube::Config, options: Options,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let controller = ShardedController::<Cache>::new(config, options).owns::<StatefulSet>();
/// let reconcile = |cache: Arc<Cache>, held: Held| async move {
///     let _client = held.client(); // works only while this replica holds the shard
///     Ok::<_, Infallible>(Action::await_change())
/// };
/// controller.run(reconcile, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use shard_router::{Options, Sharded, ShardedController};
/// # fn forgets<Cache: Sharded>(config: kube::Config, options: Options) {
/// ShardedController::<Cache>::new(config, options); // never run, so nothing is reconciled
/// # }
/// ```
#[must_use = "a controller does nothing until `run` is awaited"]
pub struct ShardedController<K: Sharded> {
    connection: Connection,
    options: Options,
    owned: Vec<OwnedType<K>>,
    metrics: Metrics,
    readiness: ReadinessSwitch,
    replica_tasks: Vec<NamedTask>,
    coordinator_tasks: Vec<NamedTask>,
}

impl<K: Sharded> ShardedController<K> {
    /// A replica that connects to the API server with this configuration or client.
    pub fn new(connection: impl Into<Connection>, options: Options) -> Self {
        Self {
            connection: connection.into(),
            options,
            owned: Vec::new(),
            metrics: Metrics::default(),
            readiness: ReadinessSwitch::starting(),
            replica_tasks: Vec::new(),
            coordinator_tasks: Vec::new(),
        }
    }

    /// Reconciles a resource also when a child of this type changes, and caches these children, so that a reconcile can read them without a request
    /// with [`Held::owned`](crate::Held::owned). A child is an object that has the resource as owner and has the bucket label, see
    /// [`Held::label_child`](crate::Held::label_child).
    pub fn owns<C: OwnedResource>(mut self) -> Self {
        self.owned.push(OwnedType::of::<C>());
        self
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
    /// If the options are invalid, or if no client could be created from the connection. Later failures are reported by readiness, metrics and logs,
    /// and are retried.
    pub async fn run<R: Reconciler<K>>(
        self,
        reconciler: R,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), RunError> {
        let connection = self.connection.clone().with_user_agent(&self.options.user_agent())?;
        let setup = Setup::new(&self.connection, self.options, reconciler, self.owned, self.metrics)?;
        let recorder = setup.recorder.clone();
        recorder.replica_start(setup.options.elections.identity.pod(), &setup.options.user_agent());
        setup.metrics.starts(setup.clock.wall());
        let (namespaces, resource) = (setup.options.watch_namespaces.clone(), resource::<K>());
        let absent = absent_namespaces::report(
            setup.clients.unobserved(),
            &namespaces,
            &resource,
            setup.clock.clone(),
        );
        let setup = Arc::new(setup);
        let running = async {
            if setup.options.elections.leader_election {
                let tasks =
                    replica::Tasks { every_replica: self.replica_tasks, coordinator: self.coordinator_tasks };
                replica::run(setup, connection, tasks, self.readiness, shutdown).await
            } else {
                let tasks = self.replica_tasks.into_iter().chain(self.coordinator_tasks).collect();
                replica::unelected::run(setup, connection, tasks, self.readiness, shutdown).await
            }
        };
        tokio::select! {
            ended = running => ended?,
            () = absent => {}
        }
        recorder.replica_end("clean");
        Ok(())
    }
}
