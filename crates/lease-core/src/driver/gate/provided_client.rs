//! An existing client, as the lowest service of the clients that are built on it.

use std::task::{Context, Poll};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Request, Response, header::USER_AGENT};
use kube::{Client, client::Body};
use tower::{BoxError, Service};

/// Sends through an existing client, and sets the User-Agent header of each request.
#[derive(Clone)]
pub(super) struct ProvidedClient {
    client: Client,
    user_agent: HeaderValue,
}

impl ProvidedClient {
    pub(super) fn new(client: Client, user_agent: HeaderValue) -> Self {
        Self { client, user_agent }
    }
}

impl Service<Request<Body>> for ProvidedClient {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// The `call` of a client queues the request at once. Here nothing happens before the first poll, because the last check reads the clock
    /// before the first poll.
    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        let client = self.client.clone();
        async move { client.send(request).await.map_err(BoxError::from) }.boxed()
    }
}
