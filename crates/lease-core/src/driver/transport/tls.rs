//! What encrypts connections: a choice of the program, as it is with kube.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::{Connect, Connection, HttpConnector};
use kube::client::ClientBuilder;
use tower::{BoxError, Service};

use super::{CHECKS, Checks, Transport, checked, transport_over};

/// What encrypts the connections to the API server. The default is kube's rustls, with the feature `rustls-tls`.
///
/// For another, switch off the default features of this crate, switch on those of kube, and pass kube's connector on. It gets a connector for TCP
/// whose connections are checked, see [`transport`](crate::transport):
///
/// ```toml
/// lease-core = { version = "0.1", default-features = false, features = ["kube"] }
/// kube = { version = "5", default-features = false, features = ["client", "openssl-tls"] }
/// ```
///
/// ```ignore
/// use kube::client::ConfigExt as _;
///
/// let openssl = Tls::new(|config, tcp| config.openssl_https_connector_with_connector(tcp));
/// let elections = Elections::start(Connection::with_tls(config, openssl), options).await?;
/// ```
///
/// To use rustls with aws-lc-rs instead of ring, no `Tls` is needed: switch on `rustls-tls` here and `aws-lc-rs` of kube, and not `ring`.
#[derive(Clone)]
pub struct Tls(Arc<Build>);

type Build = dyn Fn(&kube::Config, HttpConnector) -> kube::Result<ClientBuilder<Transport>> + Send + Sync;

impl Tls {
    /// Encrypts by a connector on top of the one for TCP.
    pub fn new<C>(
        connector: impl Fn(&kube::Config, HttpConnector) -> kube::Result<C> + Send + Sync + 'static,
    ) -> Self
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Read + Write + Connection + Unpin + Send + 'static,
        C::Future: Unpin + Send + 'static,
        C::Error: Into<BoxError>,
        TimeoutConnector<C>: Connect,
    {
        Self(Arc::new(move |config, tcp| {
            transport_over(config, TimeoutConnector::new(connector(config, tcp)?))
        }))
    }

    pub(in crate::driver) fn transport(
        &self,
        config: &kube::Config,
    ) -> kube::Result<ClientBuilder<Transport>> {
        self.transport_with(config, CHECKS)
    }

    pub(super) fn transport_with(
        &self,
        config: &kube::Config,
        checks: Checks,
    ) -> kube::Result<ClientBuilder<Transport>> {
        if config.proxy_url.is_some() {
            // Returns kube's own error.
            drop(ClientBuilder::try_from(config.clone())?);
        }
        (self.0)(config, checked(checks))
    }
}

impl Default for Tls {
    #[cfg(feature = "rustls-tls")]
    fn default() -> Self {
        use kube::client::ConfigExt as _;

        Self::new(kube::Config::rustls_https_connector_with_connector)
    }

    #[cfg(not(feature = "rustls-tls"))]
    fn default() -> Self {
        Self::new(|config, tcp| match config.cluster_url.scheme_str() {
            Some("https") => Err(kube::Error::TlsRequired),
            _ => Ok(tcp),
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
