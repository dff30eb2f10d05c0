//! Two replicas on an API server in memory.

use std::{error::Error, future::pending, time::Duration};

use embedded_apiserver::{EmbeddedServer, WallSeams};
use k8s_openapi::{
    api::core::v1::ConfigMap, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, Timings};
use serde_json::json;
use shard_router::Options;
use {{crate_name}}::{app, {{kind}}, {{kind}}Spec};

#[tokio::test]
async fn the_config_map_follows_the_resource() -> Result<(), Box<dyn Error>> {
    let server = EmbeddedServer::new(WallSeams::new(1));
    let client = server.client("default");
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &{{kind}}::crd()).await?;
    for pod in ["op-0", "op-1"] {
        let id = LeaderElectionId::new("{{project-name}}.{{group}}")?;
        let mut elections = ElectionsOptions::new(id, "default", Identity::of_pod(pod, "1")?);
        elections.timings = Timings::fast();
        let options = Options::for_crd::<{{kind}}>(elections).with_shards(4.try_into()?);
        tokio::spawn(app(server.client("default"), options).run(pending()));
    }
    let resources: Api<{{kind}}> = Api::default_namespaced(client.clone());
    let config_maps: Api<ConfigMap> = Api::default_namespaced(client);
    let resource = {{kind}}::new("first", {{kind}}Spec { content: "hello".to_owned() });
    resources.create(&PostParams::default(), &resource).await?;
    for content in ["hello", "bye"] {
        let patch = Patch::Merge(json!({"spec": {"content": content}}));
        resources.patch("first", &PatchParams::default(), &patch).await?;
        let follows = async {
            loop {
                let config_map = config_maps.get_opt("first").await?;
                if config_map.and_then(|found| found.data).is_some_and(|data| data["content"] == content) {
                    return Ok::<_, kube::Error>(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), follows).await.map_err(|_| "no ConfigMap within a minute")??;
    }
    Ok(())
}
