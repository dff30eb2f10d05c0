//! A network that may lose every request without a word.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use kube::client::Body;
use kube_testkit::embedded::{AnswerBody, EmbeddedService};
use tower::Service;

/// The service, or nothing.
#[derive(Clone)]
pub(crate) struct Blackhole {
    service: EmbeddedService,
    swallows: Arc<AtomicBool>,
}

impl Blackhole {
    pub(crate) fn before(service: EmbeddedService) -> Self {
        Self { service, swallows: Arc::default() }
    }

    /// From now on no request arrives, or every one does. There is no reset: whoever waits, waits.
    pub(crate) fn swallow(&self, swallow: bool) {
        self.swallows.store(swallow, Ordering::Relaxed);
    }
}

impl Service<Request<Body>> for Blackhole {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.service, cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.swallows.load(Ordering::Relaxed) {
            return std::future::pending().boxed();
        }
        self.service.call(request).boxed()
    }
}
