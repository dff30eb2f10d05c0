//! The way to the API server that kube builds, with connections that are checked.
//!
//! kube's own connector sets neither keep-alive nor a limit on unacknowledged data. A connection that has died without a reset
//! is then found by whoever runs into a limit of his own, and a watch on it that is silent waits for minutes.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt, DynBody};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// When the kernel takes the other end of a connection for gone.
#[derive(Debug, Clone, Copy)]
struct Checks {
    /// How long a connection may be silent before the other end is asked whether it is there.
    silence: Duration,
    /// How long the other end has to answer before it is asked again.
    probe_interval: Duration,
    /// A connection ends when so many questions in a row stay without an answer.
    probes: u32,
    /// How long data may be under way without being acknowledged (Linux: `TCP_USER_TIMEOUT`, which ends keep-alive as well).
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other kernels have no such limit"))]
    unacknowledged: Duration,
}

/// Go's keep-alive, which client-go has.
const CHECKS: Checks = Checks {
    silence: Duration::from_secs(15),
    probe_interval: Duration::from_secs(5),
    probes: 3,
    unacknowledged: Duration::from_secs(30),
};

/// What [`transport`] returns, as the ground of a [`kube::Client`].
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Box<DynBody>>, BoxError>;

/// kube's stack for this configuration (addresses, TLS, authentication, headers, its time limits for connections), on connections that
/// are checked: the kernel closes one that is dead within about 30 s, also when nothing is sent. Nothing is retried, and kube's debug spans
/// of HTTP requests are left out.
///
/// # Errors
///
/// A configuration that kube refuses. One with a proxy is among them, as kube is built without support for proxies.
pub fn transport(config: kube::Config) -> kube::Result<ClientBuilder<Transport>> {
    transport_with(config, CHECKS)
}

fn transport_with(config: kube::Config, checks: Checks) -> kube::Result<ClientBuilder<Transport>> {
    if config.proxy_url.is_some() {
        // Says in kube's words why not.
        drop(ClientBuilder::try_from(config.clone())?);
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(checked(checks))?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(|error: hyper_util::client::legacy::Error| BoxError::from(NotAnswered(error)))
        .service(client)
        .map_response(|answer| answer.map(|body| Box::new(body.map_err(BoxError::from)) as Box<DynBody>));
    Ok(ClientBuilder::new(BoxCloneSyncService::new(service), config.default_namespace))
}

/// Why there was no answer, with the causes. hyper's own words leave them out: "client error (Connect)" says neither that nobody listens nor
/// that a certificate is not trusted.
#[derive(Debug)]
struct NotAnswered(hyper_util::client::legacy::Error);

impl fmt::Display for NotAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let why = error.to_string();
            // Some repeat what has caused them.
            if !said.ends_with(&why) {
                said = format!("{said}: {why}");
            }
            cause = error.source();
        }
        f.write_str(&said)
    }
}

impl Error for NotAnswered {}

/// Opens connections that end by themselves once the other end is gone.
fn checked(checks: Checks) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_keepalive(Some(checks.silence));
    connector.set_keepalive_interval(Some(checks.probe_interval));
    connector.set_keepalive_retries(Some(checks.probes));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(checks.unacknowledged));
    connector
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
