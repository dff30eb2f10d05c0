//! The way to the API server that kube builds, with connections that are checked.
//!
//! kube's own connector sets neither keep-alive nor a limit on unacknowledged data. A connection that has died without a reset
//! is then found by whoever runs into a limit of his own, and a watch on it that is silent waits for minutes.

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

/// How long a connection may be silent before the other end is asked whether it is there. Go's default, which client-go has.
const SILENCE: Duration = Duration::from_secs(15);
/// How long the other end has to answer before it is asked again.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// A connection ends when so many questions in a row stay without an answer.
const PROBES: u32 = 3;
/// How long data may be under way without being acknowledged (Linux: `TCP_USER_TIMEOUT`, which ends keep-alive as well).
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

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
    if config.proxy_url.is_some() {
        // Says in kube's words why not.
        drop(ClientBuilder::try_from(config.clone())?);
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(checked())?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(|error: hyper_util::client::legacy::Error| BoxError::from(error))
        .service(client)
        .map_response(|answer| answer.map(|body| Box::new(body.map_err(BoxError::from)) as Box<DynBody>));
    Ok(ClientBuilder::new(BoxCloneSyncService::new(service), config.default_namespace))
}

/// Opens connections that end by themselves once the other end is gone.
fn checked() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_keepalive(Some(SILENCE));
    connector.set_keepalive_interval(Some(PROBE_INTERVAL));
    connector.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    connector
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use rustix::net::sockopt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn connections_are_checked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connection = checked().oneshot(address).await.unwrap();
        let socket = connection.inner();
        assert!(sockopt::socket_keepalive(socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(socket).unwrap(), SILENCE);
        assert_eq!(sockopt::tcp_keepintvl(socket).unwrap(), PROBE_INTERVAL);
        assert_eq!(sockopt::tcp_keepcnt(socket).unwrap(), PROBES);
        #[cfg(target_os = "linux")]
        assert_eq!(u128::from(sockopt::tcp_user_timeout(socket).unwrap()), UNACKNOWLEDGED.as_millis());
    }
}
