//! A time limit for every request that does not stream.
//!
//! A connection can die without a word: a load balancer forgets it, an API server's machine is gone. Then nothing is ever answered,
//! and kube has no limit of its own. What waited for the answer would wait for as long as its shard is held, while Leases, on another
//! connection, are renewed and everything looks well.
//!
//! Dropping what was not answered closes its connection (HTTP/1.1), so each dead connection costs one limit. A watch is bounded by
//! kube-runtime, which begins it anew after five minutes without an event or a bookmark; here only its first answer is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Frame;
use kube::client::Body;
use tower::BoxError;

use super::deadline::runs_long;
use crate::driver::clock::Clock;
use crate::rules;

/// How long a request of a [`ClientPool`](super::ClientPool) may take, its whole answer included; a watch, or what else streams
/// (logs that are followed, exec), until it begins.
/// kube-apiserver gives up on a request of its own accord after 60 s; one that takes half of that serves nobody.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// Nothing, or not everything, was answered in time. A write may have landed all the same.
#[derive(Debug, thiserror::Error)]
#[error(
    "{method} {path} was not answered within {} s; the API server may be overloaded, or the connection to it dead",
    REQUEST_LIMIT.as_secs()
)]
pub(super) struct TimedOut {
    method: String,
    path: String,
}

/// The limit of one request, running from its making on.
pub(super) struct Limit {
    over: Option<BoxFuture<'static, ()>>,
    /// Whether its answer goes on for as long as somebody reads it.
    streams: bool,
    method: String,
    path: String,
}

impl Limit {
    pub(super) fn of<B>(request: &Request<B>, clock: &Arc<dyn Clock>) -> Self {
        Self {
            over: rules::request_limit(REQUEST_LIMIT).map(|limit| clock.sleep(limit)),
            streams: runs_long(request.uri()),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
        }
    }

    /// The answer, if it begins in time, with a body that has the time that is left. Whoever reads that body, be it to tell why a
    /// request was refused, reads it under the limit.
    pub(super) async fn within(
        mut self,
        answer: impl Future<Output = Result<Response<Body>, BoxError>>,
    ) -> Result<Response<Limited>, BoxError> {
        let answer = match &mut self.over {
            None => answer.await?,
            Some(over) => tokio::select! {
                answer = answer => answer?,
                () = over => return Err(self.timed_out().into()),
            },
        };
        // A watch that is refused is no stream: its body says why, and has to end.
        if self.streams && answer.status().is_success() {
            self.over = None;
        }
        Ok(answer.map(|body| Limited { body, limit: self }))
    }

    fn timed_out(&self) -> TimedOut {
        TimedOut { method: self.method.clone(), path: self.path.clone() }
    }
}

/// A body that has to be complete in time.
pub(super) struct Limited {
    body: Body,
    limit: Limit,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let is_over = self.limit.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready());
        if !is_over {
            return Poll::Pending;
        }
        self.limit.over = None;
        Poll::Ready(Some(Err(self.limit.timed_out().into())))
    }
}

#[cfg(test)]
mod tests;
