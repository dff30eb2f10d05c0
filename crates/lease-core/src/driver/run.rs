//! [`run`]: leader election alone, from the start of a program to its end.

mod error;
mod leader;
#[cfg(feature = "metrics")]
mod metrics;
mod options;
#[cfg(feature = "serve")]
mod serve;
mod signals;

use std::fmt;
use std::future::IntoFuture;
use std::ops::Deref;

use futures::FutureExt;
use futures::future::BoxFuture;

pub use self::error::RunError;
pub use self::leader::Leader;
#[cfg(feature = "serve")]
use self::serve::Server;
use super::candidate::Candidate;
use super::connection::Connection;
use super::elections::Elections;
use super::gate::ClientPool;
use super::options::{CandidateOptions, ElectionsOptions};
use super::term::Term;

/// Leader election for a whole program: contends for the Lease, runs `work` whenever this process is the leader, and ends in good order.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = kube::Config::infer().await?;
/// lease_core::run(config, "backup.example.com", |term| async move {
///     let client = term.client(); // refuses to send once the term is over
///     while !term.is_draining() {
///         println!("{} backs up {}", term.identity(), client.default_namespace());
///         tokio::select! { () = term.draining() => {}, () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {} }
///     }
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
///
/// - `options` is the LeaderElectionID, with which everything else comes from the environment of the Pod
///   ([`ElectionsOptions::from_env`]), or [`ElectionsOptions`].
/// - `work` runs under one [`Term`]: it should return when [`Term::draining`] has resolved. If it returns earlier, the Lease is
///   released, and this process contends again.
/// - The first SIGTERM or SIGINT drains: the work is asked to finish, the Lease is released, and the future resolves. A second one ends the
///   process at once, with exit code 143, and leaves the Lease to expire. [`Run::until`] replaces the signals.
/// - `Run::serve` (feature `serve`) answers `/healthz`, `/readyz` and `/metrics` on every replica, and `Run::metrics` (feature
///   `metrics`) registers the metrics elsewhere. [`Run::leader`] tells who the leader is.
///
/// It works on any tokio runtime. Leases have a thread of their own, so one that is single-threaded is enough; but if the work blocks it for longer than
/// RetryPeriod, the Lease is not renewed.
pub fn run<O, F>(
    connection: impl Into<Connection>,
    options: O,
    work: impl Fn(LeaderTerm) -> F + Send + Sync + 'static,
) -> Run
where
    O: TryInto<ElectionsOptions, Error: Into<RunError>>,
    F: Future<Output = ()> + Send + 'static,
{
    Run {
        connection: connection.into(),
        options: options.try_into().map_err(Into::into),
        candidate: CandidateOptions::default(),
        work: Box::new(move |term| work(term).boxed()),
        until: None,
        leader: Leader::default(),
        #[cfg(feature = "serve")]
        address: None,
    }
}

/// The [`Term`] of a leader, and a client for its requests.
#[derive(Clone, Debug)]
pub struct LeaderTerm {
    term: Term,
    pool: ClientPool,
}

impl LeaderTerm {
    /// A client for all requests of the work, see [`Term::client`]. All clients share their connections.
    pub fn client(&self) -> kube::Client {
        self.term.client(&self.pool)
    }
}

impl Deref for LeaderTerm {
    type Target = Term;

    fn deref(&self) -> &Term {
        &self.term
    }
}

/// What [`run`] will do; it does so when it is awaited.
#[must_use = "nothing runs until this is awaited"]
pub struct Run {
    connection: Connection,
    options: Result<ElectionsOptions, RunError>,
    candidate: CandidateOptions,
    work: Box<dyn Fn(LeaderTerm) -> BoxFuture<'static, ()> + Send + Sync>,
    until: Option<BoxFuture<'static, ()>>,
    leader: Leader,
    #[cfg(feature = "serve")]
    address: Option<std::net::SocketAddr>,
}

impl Run {
    /// Options of the candidate, such as its drain timeout.
    pub fn candidate(mut self, options: CandidateOptions) -> Self {
        self.candidate = options;
        self
    }

    /// Ends in good order when this future resolves, instead of at a signal.
    pub fn until(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.until = Some(stop.boxed());
        self
    }

    /// Serves `/healthz`, `/readyz` and `/metrics` on this address, until the Lease has been released. `/readyz` is about this replica's part, not about
    /// leadership: a standby is ready.
    #[cfg(feature = "serve")]
    pub fn serve(mut self, address: impl Into<std::net::SocketAddr>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Registers the metrics of this election, all of which begin with `leader_election_`.
    #[cfg(feature = "metrics")]
    pub fn metrics(self, registry: &mut prometheus_client::registry::Registry) -> Self {
        metrics::register(registry, &self.leader);
        self
    }

    /// Tells who the leader is, while this runs.
    pub fn leader(&self) -> Leader {
        self.leader.clone()
    }

    async fn run(self) -> Result<(), RunError> {
        let options = self.options?;
        // Before anything else, so that no signal is missed.
        let until = match self.until {
            Some(until) => until,
            None => signals::listen().map_err(RunError::Signals)?.boxed(),
        };
        let user_agent = format!("{} ({})", options.id, options.identity);
        let clock = std::sync::Arc::clone(&options.clock);
        let pool = ClientPool::new(self.connection.clone(), &user_agent)?.with_clock(clock);
        #[cfg(feature = "serve")]
        let _server = match self.address {
            Some(address) => Some(Server::start(address, &self.leader).await?),
            None => None,
        };
        let lease = options.id.lease_name();
        let elections = Elections::start(self.connection.with_user_agent(&user_agent)?, options).await?;
        let work = self.work;
        let candidate = elections
            .candidate(lease, self.candidate, move |term| work(LeaderTerm { term, pool: pool.clone() }));
        let candidate = candidate.map_err(super::StartError::Option)?;
        let told = self.leader.follows(elections.clone(), candidate.status());
        contend(candidate, until).await;
        elections.shutdown().await;
        drop(told);
        Ok(())
    }
}

impl IntoFuture for Run {
    type Output = Result<(), RunError>;
    type IntoFuture = BoxFuture<'static, Result<(), RunError>>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("options", &self.options).finish_non_exhaustive()
    }
}

async fn contend(candidate: Candidate, until: BoxFuture<'static, ()>) {
    until.await;
    candidate.shutdown().await;
}
