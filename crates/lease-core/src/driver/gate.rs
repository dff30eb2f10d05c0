//! The gate: a [`kube::Client`] that refuses to send as soon as its term is over. [`Term::client`] is built on it.
//!
//! For each request it
//!
//! 1. reads the clock, and refuses with [`GateClosed`] if the validity is over;
//! 2. sets the server-side `timeout` to the remaining validity (except for watches and other long-running requests).
//!    The server counts it from receipt, and a request that is answered with 504 may still be applied, so this helps but guarantees nothing;
//! 3. stops waiting for the answer when the validity ends, or when the request's own time limit is over;
//! 4. records each write whose result is unknown, because the Lease is not released while it may still be applied;
//! 5. reads the clock again in the lowest layer that kube lets us add, behind the queue in front of the connection and before
//!    each step that could hand the request to a connection.
//!
//! The API server does not fence, so one case remains possible. Between the last check of the clock and the sending of the packet there are
//! some instructions, the task that owns the connection, and the network. If the process is paused exactly there, or
//! the request is delayed there for longer than LeaseDuration − RenewDeadline, it can be accepted after another
//! replica has taken over. This affects at most one request per sending task, because the next request is checked again.
//!
//! kube's own retries (429, 503, 504, honouring Retry-After) are disabled below the gate, because a retry must pass the
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

/// The term of a request is over, so the request was not sent, or its answer was not awaited.
#[derive(Debug, thiserror::Error)]
pub enum GateClosed {
    /// The request was certainly not sent.
    #[error(
        "{method} {path} was not sent: this replica no longer holds {lease}; its next holder will reconcile"
    )]
    NotSent {
        /// The HTTP method.
        method: String,
        /// The path, without its query.
        path: String,
        /// The Lease of the term.
        lease: String,
    },
    /// The request was sent while the term was valid. It is unknown whether it was applied.
    #[error(
        "{method} {path} was sent, but {lease} was lost before the answer came; the request may have been applied"
    )]
    Unanswered {
        /// The HTTP method.
        method: String,
        /// The path, without its query.
        path: String,
        /// The Lease of the term.
        lease: String,
    },
}

impl Term {
    /// A client for all requests of the work. It works only while this term is valid: afterwards it refuses to send and stops
    /// waiting for answers. It announces its writes. See [`GateClosed`] for its errors.
    pub fn client(&self, pool: &ClientPool) -> kube::Client {
        pool.gated(self)
    }
}

/// Sends a request while the term is valid. The caller may be aborted at any await; then a write counts as unanswered.
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
        // The end is checked first: after a pause of the process, polling for the answer must not send the request.
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

/// The method and path of a request, for messages.
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
