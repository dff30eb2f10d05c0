//! The listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::routes::{Readiness, health, metrics};
use crate::cli::RunArgs;

/// The process cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("{flag} is {address}, on which this process cannot listen ({source}); choose a free address, or off")]
pub struct AdminError {
    flag: &'static str,
    address: SocketAddr,
    source: std::io::Error,
}

/// The HTTP servers of a replica. They end when this is dropped, which should be last, so that a draining replica can still be observed.
#[derive(Debug)]
pub struct Admin {
    _servers: JoinSet<()>,
}

impl Admin {
    /// Binds the addresses and serves. If both addresses are equal, one server serves everything.
    ///
    /// # Errors
    /// If an address cannot be bound.
    pub async fn start(args: &RunArgs, registry: Registry, readiness: Readiness) -> Result<Self, AdminError> {
        let metrics = metrics(Arc::new(registry));
        let health = health(readiness);
        let mut servers = JoinSet::new();
        match (args.metrics_addr.0, args.health_addr.0) {
            (Some(one), Some(other)) if one == other && one.port() != 0 => {
                serve(&mut servers, "--metrics-addr", one, metrics.merge(health)).await?;
            }
            (for_metrics, for_health) => {
                if let Some(address) = for_metrics {
                    serve(&mut servers, "--metrics-addr", address, metrics).await?;
                }
                if let Some(address) = for_health {
                    serve(&mut servers, "--health-addr", address, health).await?;
                }
            }
        }
        Ok(Self { _servers: servers })
    }
}

async fn serve(
    servers: &mut JoinSet<()>,
    flag: &'static str,
    address: SocketAddr,
    routes: Router,
) -> Result<(), AdminError> {
    let failed = |source| AdminError { flag, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    // With port 0 the system has chosen one.
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(flag, address = %bound, "serving");
    servers.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(flag, %error, "stopped serving");
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Serves these routes and asks for one path.
    async fn answer(routes: Router, path: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connect");
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("ask");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        server.abort();
        text
    }

    #[tokio::test]
    async fn readiness_says_why_not() {
        let unready = answer(health(Arc::new(|| Err("the layout has 8 shards".into()))), "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.ends_with("not ready: the layout has 8 shards\n"), "{unready}");
        let ready = answer(health(Arc::new(|| Ok(()))), "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200") && ready.ends_with("ready\n"), "{ready}");
        assert!(
            answer(health(Arc::new(|| Err("anything".into()))), "/healthz").await.starts_with("HTTP/1.1 200")
        );
    }

    #[tokio::test]
    async fn metrics_are_open_metrics() {
        let text = answer(metrics(Arc::new(Registry::default())), "/metrics").await;
        assert!(text.contains("application/openmetrics-text"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
