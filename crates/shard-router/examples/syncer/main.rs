//! Two replicas of the syncer on an API server in memory, until Ctrl-C: `cargo run -p shard-router --example syncer`. They get one
//! resource, and what they make of it is printed. With `plain` as argument, one process with kube-runtime alone.

#[path = "../common/in_memory.rs"]
#[allow(dead_code, reason = "not every example needs all of it")]
mod in_memory;
#[allow(dead_code, reason = "both variants define the kind")]
mod plain;
mod sharded;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

use self::{
    in_memory::{InMemory, Outcome, show, stop},
    sharded::{SecretCopy, SecretCopySpec},
};

#[tokio::main]
async fn main() -> Outcome {
    let server = InMemory::start::<SecretCopy>("syncer.examples.dev").await?;
    server.create_namespace("sources").await?;
    let secret =
        serde_json::from_value(json!({"metadata": {"name": "tls"}, "stringData": {"key": "secret"}}))?;
    server.create(Api::<Secret>::namespaced(server.client(), "sources"), secret).await?;
    let copy = SecretCopy::new("tls", SecretCopySpec { from: "sources".to_owned() });
    server.create(Api::default_namespaced(server.client()), copy).await?;
    server
        .run::<SecretCopy, _, _>(
            |client| plain::run(client, stop()),
            |client, options| sharded::run(client, options, stop()),
            show(Api::<Secret>::default_namespaced(server.client()), "tls", |_| true),
        )
        .await
}
