//! One replica, in a Pod.

use std::error::Error;

use shard_router::Options;
use tokio::signal::unix::{SignalKind, signal};
use {{crate_name}}::{{kind}};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    // The name of the Lease of the coordinator. Each operator in a namespace has its own.
    let elections = "{{project-name}}.{{group}}".try_into()?;
    let options = Options::for_crd::<{{kind}}>(elections)
        .with_product(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .with_shards(4.try_into()?);
    let config = kube::Config::infer().await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    Ok({{crate_name}}::app(config, options).run(shutdown).await?)
}
