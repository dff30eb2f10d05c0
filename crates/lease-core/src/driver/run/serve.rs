//! `/healthz`, `/readyz` and `/metrics`, on every replica.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::RunError;
use super::leader::Leader;
use super::metrics;

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// More connections than probes and scrapers have. Others wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 64;
/// A connection on which no request has come for so long is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// After a connection could not be accepted, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The HTTP server. It ends when this is dropped, with all its connections.
pub(super) struct Server {
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(address: SocketAddr, leader: &Leader) -> Result<Self, RunError> {
        let failed = |source| RunError::Serve { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        // With port 0 the system has chosen one.
        let bound = listener.local_addr().map_err(failed)?;
        tracing::info!(address = %bound, "serving /healthz, /readyz and /metrics");
        let mut registry = Registry::default();
        metrics::register(&mut registry, leader);
        let served = Arc::new(Served { leader: leader.clone(), registry });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, served));
        Ok(Self { _tasks: tasks })
    }
}

struct Served {
    leader: Leader,
    registry: Registry,
}

#[expect(clippy::disallowed_methods, reason = "sockets take real time, in a simulation too")]
async fn accept(listener: TcpListener, served: Arc<Served>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let served = Arc::clone(&served);
                connections.spawn(async move {
                    connection(stream, served).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for health or metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, served: Arc<Served>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let response = served.answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    // The client's own affair.
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

impl Served {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => match self.leader.ready() {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(because) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {because}\n")),
            },
            "/metrics" => {
                let mut metrics = String::new();
                if let Err(error) = encode(&mut metrics, &self.registry) {
                    let why = format!("the metrics could not be encoded: {error}\n");
                    return text(StatusCode::INTERNAL_SERVER_ERROR, why);
                }
                let mut response = text(StatusCode::OK, metrics);
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(OPEN_METRICS));
                response
            }
            _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}
