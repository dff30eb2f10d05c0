//! Two replicas on an API server in memory: `cargo run --example local`. With `rights`, prints the rights that a replica needs instead.

use std::{error::Error, future::pending, time::Duration};

use embedded_apiserver::{EmbeddedServer, WallSeams};
use k8s_openapi::{
    api::core::v1::ConfigMap, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, CustomResourceExt, api::PostParams};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, Timings};
use shard_router::Options;
use {{crate_name}}::{app, {{kind}}, {{kind}}Spec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let server = EmbeddedServer::new(WallSeams::new(1));
    let client = server.client("default");
    if std::env::args().nth(1).as_deref() == Some("rights") {
        println!("{:#?}", app(client, options("op-0")?).required_rights());
        return Ok(());
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &{{kind}}::crd()).await?;
    let resources: Api<{{kind}}> = Api::default_namespaced(client.clone());
    let resource = {{kind}}::new("first", {{kind}}Spec { content: "hello".to_owned() });
    resources.create(&PostParams::default(), &resource).await?;
    let replica = |pod| Ok::<_, Box<dyn Error>>(app(server.client("default"), options(pod)?).run(pending()));
    let (first, second) = (replica("op-0")?, replica("op-1")?);
    tokio::select! {
        ended = first => Ok(ended?),
        ended = second => Ok(ended?),
        content = content_of(client, "first") => {
            println!("the ConfigMap of the resource says {:?}", content?);
            Ok(())
        }
    }
}

/// Fast timings, because nothing waits for a network here.
fn options(pod: &str) -> Result<Options, Box<dyn Error>> {
    let id = LeaderElectionId::new("{{project-name}}.{{group}}")?;
    let mut elections = ElectionsOptions::new(id, "default", Identity::of_pod(pod, "1")?);
    elections.timings = Timings::fast();
    Ok(Options::for_crd::<{{kind}}>(elections).with_shards(4.try_into()?))
}

async fn content_of(client: Client, name: &str) -> Result<String, kube::Error> {
    let config_maps: Api<ConfigMap> = Api::default_namespaced(client);
    loop {
        let config_map = config_maps.get_opt(name).await?;
        if let Some(content) = config_map.and_then(|found| found.data?.remove("content")) {
            return Ok(content);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
