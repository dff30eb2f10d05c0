//! The last check: a layer below kube's queue, as near to the wire as kube's builder permits.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request};
use tower::{BoxError, Layer, Service};

use super::{Pass, Said};
use crate::mutants::pause;

/// Checks the [`Pass`] in a request's extensions once more; requests without one go through.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastCheck;

impl<S> Layer<S> for LastCheck {
    type Service = Checked<S>;

    fn layer(&self, inner: S) -> Checked<S> {
        Checked(inner)
    }
}

pub(super) struct Checked<S>(S);

impl<S, B> Service<Request<B>> for Checked<S>
where
    S: Service<Request<B>, Error = BoxError>,
    S::Future: Unpin,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let pass = request.extensions().get::<Pass>().cloned();
        let limit = pass.map(|pass| Limit {
            pass,
            said: Said::of(&request),
            write: !matches!(*request.method(), Method::GET | Method::HEAD),
            polled: false,
        });
        // Nothing is sent before the first poll: authentication, connection and request all happen in there.
        Answer { inner: self.0.call(request), limit }
    }
}

/// The answer, as long as its request's pass lasts. The clock is read before each poll, since any of them may be the one
/// that hands the request to a connection: the first, or one after waiting for a token or for the connection.
pub(super) struct Answer<F> {
    inner: F,
    limit: Option<Limit>,
}

struct Limit {
    pass: Pass,
    said: Said,
    write: bool,
    polled: bool,
}

impl<F, T> Future for Answer<F>
where
    F: Future<Output = Result<T, BoxError>> + Unpin,
{
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(limit) = &mut self.limit {
            let first = !std::mem::replace(&mut limit.polled, true);
            if limit.pass.0.remaining().is_none() {
                let closed =
                    if first { limit.said.not_sent(&limit.pass) } else { limit.said.unanswered(&limit.pass) };
                return Poll::Ready(Err(closed.into()));
            }
            if first && limit.write {
                pause();
            }
        }
        Pin::new(&mut self.inner).poll(cx)
    }
}
