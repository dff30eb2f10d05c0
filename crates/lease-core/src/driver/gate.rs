//! The gate: what makes a [`kube::Client`] stop sending the moment its term is over. [`Term::client`] is built on it.
//!
//! What it does, per request:
//!
//! 1. reads the clock and refuses with [`GateClosed`] if validity is over;
//! 2. adds the server-side `timeout` that is left to the holder (watches and other long-running requests excepted).
//!    The server counts it from receipt, and a request that it answers with 504 may still land: a help, not a proof;
//! 3. stops waiting for the answer when validity ends, or when the request's own time limit is over;
//! 4. notes each write whose fate nobody learns, since the Lease is not released while it may land;
//! 5. reads the clock again in the lowest layer that kube lets us add, behind the queue in front of the connection and before
//!    each step that could be the one to hand the request to a connection.
//!
//! What remains possible until the API server itself fences: between that last look at the clock and the packet there are
//! still some instructions, the task that owns the connection, and the network. If the process is paused exactly there, or
//! the request is held up there for longer than LeaseDuration − RenewDeadline, it can be accepted after another
//! replica has taken over: one request for each task that was sending, and no more, since the next one is checked again.
//!
//! kube's own retries (429, 503, 504, honouring Retry-After) are left out below the gate: a retry must pass the
//! gate again.

mod deadline;
mod last_check;
mod limit;
mod pool;
mod provided_client;

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use tower::BoxError;

pub use self::limit::REQUEST_LIMIT;
pub use self::pool::{ClientPool, PoolError};
use super::term::Term;
use crate::rules;

/// The term under which a request was to be sent is over, so it was not sent, or its answer was not waited for.
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

impl Term {
    /// A client that works only while this term is valid, for every request of the work: it refuses to send afterwards, stops
    /// waiting for answers, and announces its writes. See [`GateClosed`] for its errors.
    pub fn client(&self, pool: &ClientPool) -> kube::Client {
        pool.gated(self)
    }
}

/// Sends a request while the term lasts. Its sender may be aborted at any await: then a write counts as given up on.
async fn send(base: Client, term: Term, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let named = Named::of(&request);
    let remaining = term.may_send_for().ok_or_else(|| named.not_sent(&term))?;
    deadline::limit(&mut request, remaining);
    request.extensions_mut().insert(last_check::Under(term.clone()));
    let write = if request.method().is_safe() {
        None
    } else {
        Some(term.announce_write().ok_or_else(|| named.not_sent(&term))?)
    };
    tokio::select! {
        // The end comes first: on waking from a pause, the request must not be sent by the poll that looks for its answer.
        biased;
        () = term.sending_ends() => Err(named.unanswered(&term).into()),
        answer = base.send(request) => {
            let answer = answer?;
            if let Some(write) = write && rules::answer_tells_of_a_write(answer.status().as_u16()) {
                write.answered();
            }
            Ok(answer)
        }
    }
}

/// What a request was, for messages.
struct Named {
    method: Method,
    path: String,
}

impl Named {
    fn of<B>(request: &Request<B>) -> Self {
        Self { method: request.method().clone(), path: request.uri().path().to_owned() }
    }

    fn not_sent(&self, term: &Term) -> GateClosed {
        let (method, path) = (self.method.to_string(), self.path.clone());
        GateClosed::NotSent { method, path, lease: term.lease().to_string() }
    }

    fn unanswered(&self, term: &Term) -> GateClosed {
        let (method, path) = (self.method.to_string(), self.path.clone());
        GateClosed::Unanswered { method, path, lease: term.lease().to_string() }
    }
}

#[cfg(test)]
mod tests;
