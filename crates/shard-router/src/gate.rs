//! The gate: a [`kube::Client`] that stops sending the moment its holder may no longer act.
//!
//! What it does, per request:
//!
//! 1. reads the clock and refuses with [`GateClosed`] if validity is over;
//! 2. adds the server-side `timeout` that is left to the holder (watches and other long-running requests excepted).
//!    The server counts it from receipt, and a request that it answers with 504 may still land: a help, not a proof;
//! 3. stops waiting for the answer when validity ends;
//! 4. notes each write whose fate nobody learns, since the Lease is not released while it may land;
//! 5. reads the clock again in the lowest layer that kube lets us add, behind the queue in front of the connection and before
//!    each step that could be the one to hand the request to a connection.
//!
//! What remains possible until the API server itself fences: between that last look at the clock and the packet there are
//! still some instructions, the task that owns the connection, and the network. If the process is paused exactly there, or
//! the request is held up there for longer than LeaseDuration − RenewDeadline, it can be accepted after another
//! replica has taken over: one request for each reconcile that was running, and no more, since the next one is checked again.
//!
//! kube's own retries (429, 503, 504, honouring Retry-After) are left out below the gate: a retry must pass the
//! gate again.

mod deadline;
mod flight;
mod given;
mod limit;
mod wire;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Request, Response, header::USER_AGENT};
use kube::{Client, client::Body};
use lease_core::{Clock, Connection, transport};
use tower::{BoxError, Layer};

pub use self::limit::REQUEST_LIMIT;
use self::{flight::Flight, given::Given, limit::Limit};
use crate::{
    mutants::{Mutant, active},
    requests::{Answer, Observer, Target, observed},
    rights::Rights,
};

/// The authority to send was over, so the request was not sent, or its answer was not waited for.
#[derive(Debug, thiserror::Error)]
pub enum GateClosed {
    /// Certainly not sent.
    #[error(
        "{method} {path} was not sent: this replica no longer holds {lease}; its next holder will reconcile"
    )]
    NotSent {
        /// The HTTP method.
        method: String,
        /// The path, without its query.
        path: String,
        /// The Lease that gave the authority.
        lease: String,
    },
    /// Sent while valid; nobody can tell here whether it landed.
    #[error(
        "{method} {path} was sent, but the hold on {lease} ended before the answer came; it may have landed"
    )]
    Unanswered {
        /// The HTTP method.
        method: String,
        /// The path, without its query.
        path: String,
        /// The Lease that gave the authority.
        lease: String,
    },
}

/// What a gate asks before it lets a request pass.
pub(crate) trait Authority: Send + Sync + 'static {
    /// What is left, by the clock as it reads now; `None` once over.
    fn remaining(&self) -> Option<Duration>;
    /// Resolves when nothing is left.
    fn over(&self) -> BoxFuture<'_, ()>;
    /// The Lease's name, for messages.
    fn lease(&self) -> String;
    /// A write is about to be sent; `false` if none may be any more. Otherwise `write_ends` follows.
    fn write_begins(&self) -> bool;
    /// It was answered, or nobody will hear what became of it.
    fn write_ends(&self, answered: bool);
    /// What became of a request of whatever kind.
    fn answered(&self, _target: &Target, _answer: &Answer) {}
}

struct AsObserver<'a>(&'a dyn Authority);

impl Observer for AsObserver<'_> {
    fn answered(&self, target: &Target, answer: &Answer) {
        self.0.answered(target, answer);
    }
}

/// The authority that travels with a request in its extensions, down to the last check.
#[derive(Clone)]
pub(crate) struct Pass(pub(crate) Arc<dyn Authority>);

/// Clients that go through one connection pool, without retries: the ground on which gates stand.
#[derive(Clone)]
pub(crate) struct Base {
    client: Client,
    clock: Arc<dyn Clock>,
    rights: Arc<Rights>,
}

impl Base {
    /// A pool that introduces itself to the API server as `user_agent`. Requests are limited by `clock`, and `rights` hears of each
    /// answer.
    pub(crate) fn new(
        connection: Connection,
        user_agent: &str,
        clock: Arc<dyn Clock>,
        rights: Arc<Rights>,
    ) -> Result<Self, BaseError> {
        let user_agent = header(user_agent)?;
        let client = match connection {
            Connection::Config(config) => {
                transport(introduced_by(*config, user_agent))?.with_layer(&wire::LastCheck).build()
            }
            Connection::Client(client) => {
                let namespace = client.default_namespace().to_owned();
                Client::new(wire::LastCheck.layer(Given::new(client, user_agent)), namespace)
            }
        };
        Ok(Self { client, clock, rights })
    }

    /// For reads and for writes that need no shard.
    pub(crate) fn ungated(&self) -> Client {
        let base = self.clone();
        let namespace = self.client.default_namespace().to_owned();
        let send = move |request: Request<Body>| {
            let base = base.clone();
            async move {
                let target = Target::of(&request);
                let limit = Limit::of(&request, &base.clock);
                let answer = async { base.client.send(request).await.map_err(BoxError::from) };
                observed(target, &[base.rights.as_ref()], limit.within(answer).boxed()).await
            }
        };
        Client::new(tower::service_fn(send), namespace)
    }

    /// A client that sends only while the authority lasts.
    pub(crate) fn gated(&self, pass: &Pass) -> Client {
        let (base, pass) = (self.clone(), pass.clone());
        let namespace = self.client.default_namespace().to_owned();
        let gate = move |request: Request<Body>| {
            let (base, pass) = (base.clone(), pass.clone());
            async move {
                let target = Target::of(&request);
                // A write that runs into it counts as one that nobody knows the fate of: its flight is dropped with it.
                let limit = Limit::of(&request, &base.clock);
                let answer = limit.within(send(base.client, pass.clone(), request)).boxed();
                let authority = AsObserver(pass.0.as_ref());
                observed(target, &[base.rights.as_ref(), &authority], answer).await
            }
        };
        Client::new(tower::service_fn(gate), namespace)
    }
}

/// The connection with this User-Agent header and no other.
pub(crate) fn introduced(connection: Connection, user_agent: &str) -> Result<Connection, BaseError> {
    let user_agent = header(user_agent)?;
    Ok(match connection {
        Connection::Config(config) => introduced_by(*config, user_agent).into(),
        Connection::Client(client) => {
            let namespace = client.default_namespace().to_owned();
            Client::new(Given::new(client, user_agent), namespace).into()
        }
    })
}

fn introduced_by(mut config: kube::Config, user_agent: HeaderValue) -> kube::Config {
    config.headers.retain(|(name, _)| *name != USER_AGENT);
    config.headers.push((USER_AGENT, user_agent));
    config
}

fn header(user_agent: &str) -> Result<HeaderValue, BaseError> {
    user_agent.parse().map_err(|_| BaseError::UserAgent(user_agent.to_owned()))
}

/// The connection to the API server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The configuration is unusable.
    #[error("the client for the API server could not be set up: {0}")]
    Kube(#[from] kube::Error),
    /// The user agent has characters that no HTTP header may have.
    #[error("{0:?} cannot be a User-Agent header; use visible ASCII in the product name and the identity")]
    UserAgent(String),
}

async fn send(base: Client, pass: Pass, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let said = Said::of(&request);
    if active(Mutant::OpenGate) {
        return Ok(base.send(request).await?);
    }
    let remaining = pass.0.remaining().ok_or_else(|| said.not_sent(&pass))?;
    deadline::limit(&mut request, remaining);
    request.extensions_mut().insert(pass.clone());
    let flight = if request.method().is_safe() {
        None
    } else {
        Some(Flight::begin(&pass).ok_or_else(|| said.not_sent(&pass))?)
    };
    tokio::select! {
        // The end comes first: on waking from a pause, the request must not be sent by the poll that looks for its answer.
        biased;
        () = pass.0.over() => Err(said.unanswered(&pass).into()),
        answer = base.send(request) => {
            let answer = answer?;
            if let Some(flight) = flight {
                flight.end(answer.status());
            }
            Ok(answer)
        }
    }
}

/// What a request was, for messages.
struct Said {
    method: String,
    path: String,
}

impl Said {
    fn of<B>(request: &Request<B>) -> Self {
        Self { method: request.method().to_string(), path: request.uri().path().to_owned() }
    }

    fn not_sent(&self, pass: &Pass) -> GateClosed {
        GateClosed::NotSent { method: self.method.clone(), path: self.path.clone(), lease: pass.0.lease() }
    }

    fn unanswered(&self, pass: &Pass) -> GateClosed {
        GateClosed::Unanswered { method: self.method.clone(), path: self.path.clone(), lease: pass.0.lease() }
    }
}

#[cfg(test)]
mod tests;
