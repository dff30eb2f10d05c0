//! The server on a port, over plain HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::server::EmbeddedServer;

/// A server that listens on this machine until this is dropped.
#[derive(Debug)]
pub struct HttpPort {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl EmbeddedServer {
    /// Listens on `127.0.0.1`; port 0 takes one that is free. Runs on the present tokio runtime.
    ///
    /// # Errors
    ///
    /// If the port cannot be had.
    pub async fn listen(&self, port: u16) -> io::Result<HttpPort> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let router = axum::Router::new().fallback_service(self.service());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the embedded API server stopped listening");
            }
        });
        Ok(HttpPort { address, task })
    }
}

impl HttpPort {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig for `kubectl` and other programs.
    pub fn kubeconfig(&self) -> Kubeconfig {
        const NAME: &str = "embedded-apiserver";
        let cluster = Cluster { server: Some(self.url()), ..Cluster::default() };
        // Nobody is asked who they are.
        let (user, auth_info) = (Some(NAME.to_owned()), Some(AuthInfo::default()));
        let context = Context { cluster: NAME.to_owned(), user, ..Context::default() };
        Kubeconfig {
            api_version: Some("v1".into()),
            kind: Some("Config".into()),
            clusters: vec![NamedCluster {
                name: NAME.into(),
                cluster: Some(cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo { name: NAME.into(), auth_info, ..NamedAuthInfo::default() }],
            contexts: vec![NamedContext {
                name: NAME.into(),
                context: Some(context),
                ..NamedContext::default()
            }],
            current_context: Some(NAME.into()),
            ..Kubeconfig::default()
        }
    }
}

impl Drop for HttpPort {
    fn drop(&mut self) {
        self.task.abort();
    }
}
