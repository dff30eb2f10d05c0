//! Two replicas of the syncer on the API server in memory, until Ctrl-C: `cargo run -p shard-router --example syncer`.
//! With `plain` as argument, one process with kube-runtime alone.

#[allow(dead_code, reason = "both variants define the kind")]
mod plain;
mod sharded;

use std::error::Error;

use embedded_apiserver::{EmbeddedServer, WallSeams};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, CustomResourceExt as _, api::PostParams};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId};
use shard_router::Options;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let server = EmbeddedServer::new(WallSeams::new(1));
    let definitions: Api<CustomResourceDefinition> = Api::all(server.client("default"));
    definitions.create(&PostParams::default(), &sharded::SecretCopy::crd()).await?;
    let stop = || async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    if std::env::args().nth(1).as_deref() == Some("plain") {
        return plain::run(server.client("default"), stop()).await;
    }
    let replica = |pod| {
        let id = LeaderElectionId::new("syncer.examples.dev")?;
        let elections = ElectionsOptions::new(id, "default", Identity::of_pod(pod, "1")?);
        let options = Options::for_crd::<sharded::SecretCopy>(elections).with_shards(4.try_into()?);
        Ok::<_, Box<dyn Error>>(sharded::run(server.client("default"), options, stop()))
    };
    tokio::try_join!(replica("op-0")?, replica("op-1")?)?;
    Ok(())
}
