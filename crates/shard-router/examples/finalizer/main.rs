//! Two replicas of the finalizer on an API server in memory, until Ctrl-C: `cargo run -p shard-router --example finalizer`. They get one
//! resource, and what they make of it is printed. With `plain` as argument, one process with kube-runtime alone.

#[path = "../common/in_memory.rs"]
#[allow(dead_code, reason = "not every example needs all of it")]
mod in_memory;
#[allow(dead_code, reason = "both variants define the kind")]
mod plain;
mod sharded;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use self::{
    in_memory::{InMemory, Outcome, show, stop},
    sharded::{Record, RecordSpec},
};

#[tokio::main]
async fn main() -> Outcome {
    let server = InMemory::start::<Record>("finalizer.examples.dev").await?;
    server.create_namespace("dns").await?;
    let mut zone = ConfigMap::default();
    zone.metadata.name = Some("zone".to_owned());
    server.create(Api::namespaced(server.client(), "dns"), zone).await?;
    let record = Record::new("www", RecordSpec { address: "10.0.0.1".to_owned() });
    server.create(Api::default_namespaced(server.client()), record).await?;
    server
        .run::<Record, _, _>(
            |client| plain::run(client, stop()),
            |client, options| sharded::run(client, options, stop()),
            show(Api::<ConfigMap>::namespaced(server.client(), "dns"), "zone", |zone| zone.data.is_some()),
        )
        .await
}
