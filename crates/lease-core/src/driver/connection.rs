//! How to connect to the API server.

use tokio::runtime::Handle;

use super::transport::Tls;

/// How to connect to the API server.
#[derive(Clone)]
pub enum Connection {
    /// With new clients, which are used for nothing else. This is the usual way.
    Config(Box<kube::Config>, Tls),
    /// With an existing client. This is for tests and simulations; in production, give the configuration of the client instead. The client
    /// must
    ///
    /// - **not retry by itself**, as every client does that kube makes by `Client::try_from` or `Client::try_default`: kube repeats what was answered
    ///   with 429, 503 or 504, after as long a wait as Retry-After asks for. A renewal or a write of the work would be repeated after the term
    ///   that it belongs to. [`transport(config)?.build()`](crate::transport) makes a client that does not retry;
    /// - **not be made on a runtime that may be blocked**: its requests are driven there, so whatever blocks it delays renewals;
    /// - **not be limited or queued** together with other requests, which renewals would have to wait for;
    /// - notice dead connections: without limits, a request on one waits until its own time limit, and a watch for minutes.
    Client(kube::Client),
}

impl Connection {
    /// With new clients that use this TLS instead of rustls.
    pub fn with_tls(config: kube::Config, tls: Tls) -> Self {
        Self::Config(Box::new(config), tls)
    }
}

impl From<kube::Config> for Connection {
    fn from(config: kube::Config) -> Self {
        Self::with_tls(config, Tls::default())
    }
}

impl From<kube::Client> for Connection {
    fn from(client: kube::Client) -> Self {
        Self::Client(client)
    }
}

/// The client is created on the Lease runtime, on which its connections run. It does not retry by itself: kube honours Retry-After, and would
/// repeat a write minutes later, when it may no longer be valid.
pub(super) async fn connect(connection: Connection, runtime: &Handle) -> kube::Result<kube::Client> {
    match connection {
        Connection::Client(client) => Ok(client),
        Connection::Config(config, tls) => {
            match runtime.spawn(async move { Ok(tls.transport(&config)?.build()) }).await {
                Ok(client) => client,
                Err(error) => Err(kube::Error::Service(Box::new(error))),
            }
        }
    }
}
