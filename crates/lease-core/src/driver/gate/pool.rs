//! [`ClientPool`]: the connections that the clients of all terms share.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use http::header::USER_AGENT;
use http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, Layer};

use super::last_check::LastCheck;
use super::limit::Limit;
use super::provided_client::ProvidedClient;
use super::send;
use crate::broken;
use crate::driver::clock::{Clock, SystemClock};
use crate::driver::connection::Connection;
use crate::driver::term::Term;

/// Connections to the API server for the work under Leases. [`Term::client`] creates a client that stops with its term.
/// All clients share the connections, which are separate from those of the Lease traffic. Cheap to clone.
///
/// The clients do not retry by themselves. A request has a time limit of 30 s ([`REQUEST_LIMIT`](crate::REQUEST_LIMIT)).
#[derive(Clone)]
pub struct ClientPool {
    client: Client,
    clock: Arc<dyn Clock>,
}

/// The connections to the API server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The configuration is unusable.
    #[error("the client for the API server could not be set up: {0}")]
    Kube(#[from] kube::Error),
    /// The user agent contains characters that are not allowed in an HTTP header.
    #[error("{0:?} cannot be a User-Agent header; use visible ASCII in the product name and the identity")]
    UserAgent(String),
}

impl ClientPool {
    /// A pool whose clients send `user_agent`, such as `backup-operator/1.2 (<identity>)`, as their User-Agent.
    ///
    /// # Errors
    ///
    /// See [`PoolError`].
    pub fn new(connection: impl Into<Connection>, user_agent: &str) -> Result<Self, PoolError> {
        let user_agent = header(user_agent)?;
        let client = match connection.into() {
            Connection::Config(config, tls) => {
                tls.transport(&with_header(*config, user_agent))?.with_layer(&LastCheck).build()
            }
            Connection::Client(client) => {
                let namespace = client.default_namespace().to_owned();
                Client::new(LastCheck.layer(ProvidedClient::new(client, user_agent)), namespace)
            }
        };
        Ok(Self { client, clock: Arc::new(SystemClock) })
    }

    /// Uses this clock for time limits. For simulations.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A client that is not tied to a Lease, for reads and for everything that any replica may do.
    pub fn ungated(&self) -> Client {
        let pool = self.clone();
        let send = move |request: Request<Body>| {
            let pool = pool.clone();
            async move {
                let limit = Limit::of(&request, &pool.clock);
                limit.within(async { pool.client.send(request).await.map_err(BoxError::from) }.boxed()).await
            }
        };
        Client::new(tower::service_fn(send), self.client.default_namespace())
    }

    /// A client that sends only while the term is valid.
    pub(in crate::driver) fn gated(&self, term: &Term) -> Client {
        broken!(OpenGate => self.ungated());
        let (pool, term) = (self.clone(), term.clone());
        let gate = move |request: Request<Body>| {
            let (pool, term) = (pool.clone(), term.clone());
            async move {
                // A write that exceeds the limit is dropped unanswered, so its result counts as unknown.
                let limit = Limit::of(&request, &pool.clock);
                limit.within(send(pool.client, term, request).boxed()).await
            }
        };
        Client::new(tower::service_fn(gate), self.client.default_namespace())
    }
}

impl fmt::Debug for ClientPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPool").finish_non_exhaustive()
    }
}

impl Connection {
    /// The same connection, with this User-Agent and no other.
    ///
    /// # Errors
    ///
    /// [`PoolError::UserAgent`].
    pub fn with_user_agent(self, user_agent: &str) -> Result<Self, PoolError> {
        let user_agent = header(user_agent)?;
        Ok(match self {
            Self::Config(config, tls) => Self::with_tls(with_header(*config, user_agent), tls),
            Self::Client(client) => {
                let namespace = client.default_namespace().to_owned();
                Client::new(ProvidedClient::new(client, user_agent), namespace).into()
            }
        })
    }
}

fn with_header(mut config: kube::Config, user_agent: HeaderValue) -> kube::Config {
    config.headers.retain(|(name, _)| *name != USER_AGENT);
    config.headers.push((USER_AGENT, user_agent));
    config
}

fn header(user_agent: &str) -> Result<HeaderValue, PoolError> {
    user_agent.parse().map_err(|_| PoolError::UserAgent(user_agent.to_owned()))
}
