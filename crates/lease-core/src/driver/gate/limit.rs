//! A time limit for every request that does not stream.
//!
//! A connection can die silently: a load balancer forgets it, or the machine of an API server fails. Then requests are never answered,
//! and kube has no time limit of its own. A reconcile would wait for the answer for as long as its shard is held, while Leases are renewed on another
//! connection and no problem is visible.
//!
//! Dropping an unanswered request closes its connection (HTTP/1.1), so each dead connection costs one time limit. For a watch, only the start is limited
//! here; kube-runtime restarts a watch after five minutes without an event or a bookmark.

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

/// How long a request of a [`ClientPool`](super::ClientPool) may take, including its whole answer. For watches and other streams
/// (logs that are followed, exec) the limit applies until the stream begins.
/// The value is half of the 60 s after which kube-apiserver itself gives up on a request.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// The answer was not complete in time. A write may have been applied nevertheless.
#[derive(Debug, thiserror::Error)]
#[error(
    "{method} {path} was not answered within {} s; the API server may be overloaded, or the connection to it dead",
    REQUEST_LIMIT.as_secs()
)]
pub(super) struct TimedOut {
    method: String,
    path: String,
}

/// The time limit of one request, which starts when this value is created.
pub(super) struct Limit {
    over: Option<BoxFuture<'static, ()>>,
    /// Whether the answer is a stream without an end.
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

    /// Returns the answer if it begins in time. The rest of the time limit applies to its body, including the body of an
    /// error.
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
        // The response to a refused watch is not a stream: its body says why, and must end.
        if self.streams && answer.status().is_success() {
            self.over = None;
        }
        Ok(answer.map(|body| Limited { body, limit: self }))
    }

    fn timed_out(&self) -> TimedOut {
        TimedOut { method: self.method.clone(), path: self.path.clone() }
    }
}

/// A body that must be complete in time.
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
