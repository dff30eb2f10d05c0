//! The last check: a layer below kube's queue, as near to the wire as kube's builder permits.

use std::task::{Context, Poll};

use futures::future::{Either, FutureExt, Ready, ready};
use http::Request;
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
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let pass = request.extensions().get::<Pass>();
        if let Some(pass) = pass.filter(|pass| pass.0.remaining().is_none()) {
            return ready(Err(Said::of(&request).not_sent(pass).into())).left_future();
        }
        if pass.is_some() {
            pause();
        }
        self.0.call(request).right_future()
    }
}
