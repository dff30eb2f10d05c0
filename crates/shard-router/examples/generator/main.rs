//! Two replicas of the generator on an API server in memory, until Ctrl-C: `cargo run -p shard-router --example generator`. They get one
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
    sharded::{Generator, GeneratorSpec},
};

#[tokio::main]
async fn main() -> Outcome {
    let server = InMemory::start::<Generator>("generator.examples.dev").await?;
    let generator = Generator::new("hello", GeneratorSpec { content: "Hello!".to_owned() });
    server.create(Api::default_namespaced(server.client()), generator).await?;
    server
        .run::<Generator, _, _>(
            |client| plain::run(client, stop()),
            |client, options| sharded::run(client, options, stop()),
            show(Api::<ConfigMap>::default_namespaced(server.client()), "hello", |_| true),
        )
        .await
}
