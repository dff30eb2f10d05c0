//! How to connect to the API server.

use tokio::runtime::Handle;

use super::transport::transport;

/// How to connect to the API server.
#[derive(Clone)]
pub enum Connection {
    /// With a new client that is used for Lease traffic only. This is the usual way.
    Config(Box<kube::Config>),
    /// With an existing client, for simulations. It must not retry by itself.
    Client(kube::Client),
}

impl From<kube::Config> for Connection {
    fn from(config: kube::Config) -> Self {
        Self::Config(Box::new(config))
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
        Connection::Config(config) => {
            match runtime.spawn(async move { Ok(transport(*config)?.build()) }).await {
                Ok(client) => client,
                Err(error) => Err(kube::Error::Service(Box::new(error))),
            }
        }
    }
}
