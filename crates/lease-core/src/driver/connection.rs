//! How the API server is reached.

use tokio::runtime::Handle;

use super::transport::transport;

/// How the API server is reached.
#[derive(Clone)]
pub enum Connection {
    /// By a client of the elections' own, made for Lease traffic. The usual way.
    Config(Box<kube::Config>),
    /// By a client that is given. For simulations; it must not retry by itself.
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

/// The client is made on the Lease runtime, where its connections are to live, and does not retry by itself: kube would
/// repeat a write minutes later, honouring Retry-After, when it may long be wrong.
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
