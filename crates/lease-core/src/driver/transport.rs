//! kube's HTTP stack, on connections that the kernel checks.
//!
//! kube's own connector sets neither keep-alive nor a limit on unacknowledged data. If a connection dies without a reset, that is
//! noticed only by the time limit of a request on it, and a silent watch waits for minutes.

mod tls;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt, DynBody};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

pub use self::tls::Tls;

/// When the kernel closes a connection whose peer does not respond.
#[derive(Debug, Clone, Copy)]
struct Checks {
    /// How long a connection may be idle before the first keep-alive probe.
    silence: Duration,
    /// The interval between keep-alive probes.
    probe_interval: Duration,
    /// The number of consecutive unanswered probes after which the connection is closed.
    probes: u32,
    /// How long sent data may stay unacknowledged (Linux: `TCP_USER_TIMEOUT`, which applies to keep-alive probes as well).
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other kernels have no such limit"))]
    unacknowledged: Duration,
}

/// Go's keep-alive settings, which client-go uses.
const CHECKS: Checks = Checks {
    silence: Duration::from_secs(15),
    probe_interval: Duration::from_secs(5),
    probes: 3,
    unacknowledged: Duration::from_secs(30),
};

/// The result of [`transport`], from which a [`kube::Client`] is built.
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Box<DynBody>>, BoxError>;

/// Builds kube's HTTP stack for this configuration (addresses, TLS, authentication, headers, kube's time limits for connections). The kernel
/// closes a dead connection within about 30 s, even if nothing is sent on it. There are no retries, and kube's debug spans
/// of HTTP requests are left out.
///
/// # Errors
///
/// If kube refuses the configuration. This includes any configuration with a proxy, because kube is built without support for proxies.
/// Without the feature `rustls-tls` also an address that begins with `https`; see [`Tls`].
#[expect(clippy::needless_pass_by_value, reason = "as `kube::Client::try_from` takes it")]
pub fn transport(config: kube::Config) -> kube::Result<ClientBuilder<Transport>> {
    Tls::default().transport(&config)
}

/// kube's HTTP stack above this connector.
fn transport_over<C>(
    config: &kube::Config,
    mut connector: TimeoutConnector<C>,
) -> kube::Result<ClientBuilder<Transport>>
where
    C: Send + Sync + 'static,
    TimeoutConnector<C>: Connect + Clone,
{
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
    Ok(ClientBuilder::new(BoxCloneSyncService::new(service), config.default_namespace.clone()))
}

/// Why there was no answer, with all causes. hyper's own message omits them: "client error (Connect)" does not say whether the connection was refused
/// or a certificate is not trusted.
#[derive(Debug)]
struct NotAnswered(hyper_util::client::legacy::Error);

impl fmt::Display for NotAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let why = error.to_string();
            // Some messages already contain that of their cause.
            if !said.ends_with(&why) {
                said = format!("{said}: {why}");
            }
            cause = error.source();
        }
        f.write_str(&said)
    }
}

impl Error for NotAnswered {}

/// Opens connections that are closed by the kernel when the peer no longer responds.
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
