//! What all candidates of a process share.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::announce::Announcer;
use super::candidate::{Candidate, CandidateStatus};
use super::commands::AnnotationSender;
use super::connection::{Connection, connect};
use super::guarded::ending_the_process_on_panic;
use super::health::{Health, Journal};
use super::invalid_option::InvalidOption;
use super::lease_api::LeaseApi;
use super::lease_view::LeaseView;
use super::lease_watch::LeaseWatch;
use super::options::{CandidateOptions, ElectionsOptions};
use super::runtime::RunningRuntime;
use super::state_dir::ended_processes;
use super::task::{Common, Task};
use super::term::Term;
use super::unelected::Unelected;
use super::watchdog::Heartbeat;
use super::wire::{ElectionKeys, LockFormat};
use super::work::Work;
use crate::config::{ElectorConfig, Successors};
use crate::elector::{Elector, State};
use crate::ended::EndedProcesses;
use crate::identity::Identity;
use crate::name::LeaseName;

/// Why leader election could not be started. Each error is fatal.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The thread for Lease traffic could not be started.
    #[error("the thread for Lease traffic could not be started: {0}; check the limits of this container")]
    Thread(#[source] std::io::Error),
    /// See [`InvalidOption`].
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// The client could not be created.
    #[error("no client could be created from the kubeconfig or the service account: {0}")]
    Client(#[source] kube::Error),
}

/// The leader elections of a process: a thread, a client and a watch that all its [`Candidate`]s share. Cheap to clone. It ends with the last
/// clone.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn forgets(config: kube::Config, options: lease_core::ElectionsOptions) -> Result<(), lease_core::StartError> {
/// lease_core::Elections::start(config, options).await?; // dropped at once, so there is no candidate
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "elections and their candidates end when the last handle is dropped; keep one for as long as the process contends"]
pub struct Elections {
    inner: Arc<Inner>,
}

struct Inner {
    options: ElectionsOptions,
    common: Arc<Common>,
    ended: EndedProcesses,
    journal: Arc<Journal>,
    // Ends with the last clone.
    runtime: RunningRuntime,
    heartbeat_task: tokio::task::AbortHandle,
    watch_task: Option<tokio::task::AbortHandle>,
    seeds: Mutex<fastrand::Rng>,
    /// Of all Leases of this process; another process draws another one.
    renewal_phase: Duration,
}

impl Elections {
    /// Starts leader election. Must be called within a tokio runtime, on which [`Work`] will run.
    ///
    /// # Errors
    ///
    /// If an option is invalid, or if no client could be created; see [`StartError`].
    pub async fn start(
        connection: impl Into<Connection>,
        options: ElectionsOptions,
    ) -> Result<Self, StartError> {
        options.check()?;
        for warning in options.warnings() {
            tracing::warn!("{warning}");
        }
        let runtime = RunningRuntime::start(options.runtime).map_err(StartError::Thread)?;
        let client = connect(connection.into(), runtime.handle()).await.map_err(StartError::Client)?;

        let ended =
            if options.leader_election { ended_processes(&options) } else { EndedProcesses::default() };
        let ended = ended.and(&options.ended);
        let clock = Arc::clone(&options.clock);
        let timings = options.timings;
        let timeout = timings.request_timeout();
        let lock = options.resource_lock;
        let election_keys =
            ElectionKeys::new(&options.domain, &options.id, options.installation.clone(), lock);
        let journal = Arc::new(Journal::default());
        journal.contact(clock.now().monotonic);
        let api = LeaseApi::new(
            client.clone(),
            LockFormat::of(lock),
            &options.namespace,
            timeout,
            election_keys.clone(),
            Arc::clone(&journal),
            Arc::clone(&clock),
        );
        let announcer = Announcer {
            client,
            lock,
            namespace: options.namespace.clone(),
            id: options.id.clone(),
            identity: options.identity.clone(),
            timeout,
            journal: Arc::clone(&journal),
            clock: Arc::clone(&clock),
        };
        let user_runtime = Handle::current();
        let heartbeat = Heartbeat::new(Arc::clone(&clock));
        let guarded = |what, task: BoxFuture<'static, ()>| {
            ending_the_process_on_panic(what, options.on_overrun.clone(), task)
        };
        let heartbeat_task = Arc::clone(&heartbeat).run(timings.hurried_retry()).boxed();
        let heartbeat_task =
            user_runtime.spawn(guarded("the heartbeat of the runtime", heartbeat_task)).abort_handle();
        let lease_watch = LeaseWatch::new();
        let watching = Arc::clone(&lease_watch).run(
            api.clone(),
            election_keys.selector(),
            timings,
            Arc::clone(&clock),
            Arc::clone(&journal),
        );
        // Without leader election there are no Leases to watch, and the process may not have the right to watch them.
        let watching = guarded("the watch on Leases", watching.boxed());
        let watch_task = options.leader_election.then(|| runtime.handle().spawn(watching).abort_handle());
        let common = Arc::new(Common {
            api,
            election_keys,
            lease_watch,
            journal: Arc::clone(&journal),
            heartbeat,
            clock,
            user_runtime,
            announcer,
            identity: options.identity.clone(),
            timings,
            on_overrun: options.on_overrun.clone(),
            announcements: TaskTracker::new(),
        });
        let seeds = Mutex::new(fastrand::Rng::with_seed(options.seed));
        let renewal_phase = timings.retry_period().mul_f64(fastrand::Rng::with_seed(options.seed).f64());
        let inner = Inner {
            options,
            common,
            ended,
            journal,
            runtime,
            heartbeat_task,
            watch_task,
            seeds,
            renewal_phase,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Contends for the Lease without a suffix, and runs `work` whenever this process holds it.
    pub fn lead<F>(&self, work: impl Fn(Term) -> F + Send + Sync + 'static) -> Candidate
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.contend(self.inner.options.id.lease_name(), CandidateOptions::default(), Arc::new(work))
    }

    /// Contends for a Lease, and runs `work` whenever this process holds it.
    ///
    /// # Errors
    ///
    /// [`InvalidOption`] if the options contain labels, annotations or an owner that the API server would refuse, or if the Lease has a suffix and the
    /// [resource lock](ElectionsOptions::resource_lock) is a legacy one.
    pub fn candidate(
        &self,
        lease: LeaseName,
        options: CandidateOptions,
        work: impl Work,
    ) -> Result<Candidate, InvalidOption> {
        options.clone().into_metadata().check(&self.inner.common.election_keys)?;
        let ElectionsOptions { resource_lock: lock, id, .. } = &self.inner.options;
        if lock.is_legacy() && lease != id.lease_name() {
            return Err(InvalidOption::LegacyLock { lock: *lock, lease, id: id.clone() });
        }
        Ok(self.contend(lease, options, Arc::new(work)))
    }

    fn contend(&self, lease: LeaseName, options: CandidateOptions, work: Arc<dyn Work>) -> Candidate {
        let shared = &self.inner.options;
        let shutdown_limit = options.drain_timeout.saturating_add(shared.timings.request_timeout());
        let first = CandidateStatus { state: State::Starting, holder: None, term: None };
        let (publish, status) = watch::channel(first);
        let (commands, orders) = mpsc::unbounded_channel();
        if !shared.leader_election {
            let unelected = Unelected {
                lease: lease.clone(),
                identity: shared.identity.clone(),
                clock: Arc::clone(&self.inner.common.clock),
                user_runtime: self.inner.common.user_runtime.clone(),
                drain_timeout: options.drain_timeout,
                work,
                annotation_sender: AnnotationSender::to(&commands),
                status: publish,
                contend: options.contend,
            };
            let task = self.guard(unelected.run(orders));
            return Candidate { lease, commands, status, task, shutdown_limit };
        }
        let elector = Elector::new(ElectorConfig {
            identity: shared.identity.clone(),
            timings: shared.timings,
            creation: options.creation,
            release: options.release_style(shared.release_on_cancel),
            drain_timeout: options.drain_timeout,
            acquire_delay: options.acquire_delay,
            successors: Successors::Anyone,
            contend: options.contend,
            renewal_phase: Some(self.inner.renewal_phase),
            time_precision: shared.resource_lock.time_precision(),
            ended: self.inner.ended.clone(),
        });
        let announce = options.announce;
        let metadata = options.into_metadata();
        let seed = self.inner.seeds.lock().u64(..);
        let task = Task::new(
            Arc::clone(&self.inner.common),
            lease.clone(),
            metadata,
            announce,
            AnnotationSender::to(&commands),
            elector,
            work,
            publish,
            seed,
        );
        let task = self.guard(task.run(orders));
        Candidate { lease, commands, status, task, shutdown_limit }
    }

    fn guard(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let on_overrun = self.inner.options.on_overrun.clone();
        self.inner.runtime.handle().spawn(ending_the_process_on_panic("a candidate", on_overrun, task))
    }

    /// All Leases of this operator, in the state that the watch has shown last.
    pub fn leases(&self) -> LeaseView {
        self.inner.common.lease_watch.view()
    }

    /// An API for requests about Leases, with consistent reads.
    pub fn client(&self) -> LeaseApi {
        self.inner.common.api.clone()
    }

    /// holderIdentity of this process.
    pub fn identity(&self) -> &Identity {
        &self.inner.options.identity
    }

    /// Earlier processes that are proven to have ended ([`ElectionsOptions::state_dir`]).
    pub fn ended(&self) -> &EndedProcesses {
        &self.inner.ended
    }

    /// The options that the elections were started with.
    pub fn options(&self) -> &ElectionsOptions {
        &self.inner.options
    }

    /// How often it was detected that the API server's history was rewound (etcd was restored from a backup), now and after every change.
    ///
    /// At that time all terms of this process have ended, and the watch on the Leases is restarted. Restart your own caches and
    /// watches as well: they may contain states that no longer exist, and a watch would continue from a version that
    /// now belongs to another state.
    pub fn rewinds(&self) -> watch::Receiver<u64> {
        self.inner.common.lease_watch.watch_rewinds()
    }

    /// The health of the Lease traffic.
    pub fn health(&self) -> Health {
        let common = &self.inner.common;
        self.inner.journal.health(common.clock.now().monotonic, common.lease_watch.is_healthy())
    }

    /// Stops the shared parts after the last events have been written, or after one request timeout. Shut down the candidates
    /// first.
    pub async fn shutdown(&self) {
        self.shutdown_within(self.inner.options.timings.request_timeout()).await;
    }

    /// Like [`shutdown`](Self::shutdown), with another limit.
    pub async fn shutdown_within(&self, limit: Duration) {
        let announcements = &self.inner.common.announcements;
        announcements.close();
        tokio::select! {
            () = announcements.wait() => {}
            () = self.inner.common.clock.sleep(limit) => {}
        }
        self.inner.runtime.stop();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.heartbeat_task.abort();
        if let Some(watch_task) = &self.watch_task {
            watch_task.abort();
        }
    }
}
