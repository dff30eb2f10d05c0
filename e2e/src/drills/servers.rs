//! The memcached servers themselves.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::json;

use crate::harness::{CONVERGED_WITHIN, Harness};
use crate::resources::{NAMESPACE, served};
use crate::traffic::Traffic;
use crate::wait::{WaitStatus, until};

/// The resources with servers that clients use through every drill. Each has two.
pub(crate) const SERVED: [&str; 2] = ["served-0", "served-1"];

/// More servers, other memory, fewer servers: after each, clients get answers from every server that should be there.
pub(super) async fn follow_changes(harness: &mut Harness) -> Result<()> {
    let name = "changing";
    harness.resources.create([(name.to_owned(), served(1, &harness.images.memcached))]).await?;
    answered(harness, name, 1).await?;
    harness.resources.patch(name, json!({"replicas": 3})).await?;
    answered(harness, name, 3).await?;
    harness.note("1 → 3 servers: all three answer");
    harness.resources.patch(name, json!({"memoryLimitMegabytes": 24})).await?;
    until("every server to run with -m 24", Duration::from_secs(180), || async {
        let memory = memory_of_servers(&harness.client, name).await?;
        let done = memory.len() == 3 && memory.iter().all(|memory| memory == "24");
        Ok(WaitStatus::when(done, || format!("they run with -m {}", memory.join(", "))))
    })
    .await?;
    answered(harness, name, 3).await?;
    harness.note("16 → 24 MB: every server was restarted with it, and answers");
    harness.resources.patch(name, json!({"replicas": 1})).await?;
    answered(harness, name, 1).await?;
    harness.note("3 → 1 servers: the one left answers");
    harness.resources.delete(name, Duration::from_secs(120)).await
}

/// Waits until the resource is as asked for, and then for an answer of each of its servers over the wire.
async fn answered(harness: &Harness, name: &str, count: usize) -> Result<()> {
    harness.resources.converged(CONVERGED_WITHIN).await?;
    let servers: Vec<_> = (0..count).map(|number| format!("{name}-{number}.{name}")).collect();
    let traffic = Traffic::start(&harness.client, &harness.images.client, "changing", &servers).await;
    let traffic = traffic.with_context(|| format!("{count} servers of {name} should answer"))?;
    traffic.finish().await.map(|_| ())
}

/// The `-m` of each server that is not being ended.
async fn memory_of_servers(client: &Client, name: &str) -> Result<Vec<String>> {
    let params = ListParams::default().labels(&format!("cache.example.com/memcached={name}"));
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE).list(&params).await?;
    let running = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let memory = running.filter_map(|pod| {
        let args = pod.spec.as_ref()?.containers.first()?.args.as_ref()?;
        let at = args.iter().position(|arg| arg == "-m")?;
        args.get(at + 1).cloned()
    });
    Ok(memory.collect())
}
