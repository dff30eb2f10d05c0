//! The last check: a layer below kube's queue, as close to the connection as kube's builder permits.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use tower::{BoxError, Layer, Service};

use super::Named;
use crate::driver::term::Term;

/// The term of a request, which is stored in the request's extensions.
#[derive(Clone)]
pub(super) struct Under(pub(super) Term);

/// Checks the term of a request again. Requests without a term pass.
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
        let check = request.extensions().get::<Under>().cloned().map(|Under(term)| Check {
            term,
            request: Named::of(&request),
            polled: false,
        });
        // Nothing is sent before the first poll: authentication, connection and request all happen in there.
        Answer { inner: self.0.call(request), check }
    }
}

/// The answer, as long as the term of the request is valid. The clock is read before each poll, because any poll may
/// hand the request to a connection: the first one, or one after a wait for a token or for the connection.
pub(super) struct Answer<F> {
    inner: F,
    check: Option<Check>,
}

struct Check {
    term: Term,
    request: Named,
    polled: bool,
}

impl<F, T> Future for Answer<F>
where
    F: Future<Output = Result<T, BoxError>> + Unpin,
{
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(check) = &mut self.check {
            let first = !std::mem::replace(&mut check.polled, true);
            if check.term.may_send_for().is_none() {
                let Check { term, request, .. } = check;
                let closed = if first { request.not_sent(term) } else { request.unanswered(term) };
                return Poll::Ready(Err(closed.into()));
            }
            #[cfg(feature = "mutants")]
            if first {
                crate::mutants::pause_before(&check.request.method);
            }
        }
        Pin::new(&mut self.inner).poll(cx)
    }
}
