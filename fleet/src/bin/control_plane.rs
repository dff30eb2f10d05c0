//! An API server of its own for `cargo xtask chart`, until standard input ends: so it goes with whoever asked for it, however that ends.
//!
//! ```text
//! control_plane <namespace> <service account>
//! ```
//!
//! Prints one line of JSON once it is ready: `kubectl`, the program; `kubeconfig`, its administrator's; `operator`, the service
//! account's. Where none can be had here, the line says only `unavailable`, and why.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use kube_testkit::binaries::{self, Program};
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, TestUser};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [namespace, account] = &args[..] else { bail!("usage: control_plane <namespace> <service account>") };
    // Of its own, because releases are installed, which nobody's cluster should see.
    let backend = match BackendChoice::from_env()? {
        BackendChoice::Existing | BackendChoice::Embedded => BackendChoice::Auto,
        choice => choice,
    };
    let options = ClusterOptions { backend: Some(backend), audit: false, ..ClusterOptions::default() };
    let cluster = match Cluster::start(options).await {
        Ok(cluster) => cluster,
        Err(error) if error.is_unavailable() => {
            println!("{}", json!({ "unavailable": error.to_string() }));
            return Ok(());
        }
        Err(error) => return Err(error).context("the API server did not start"),
    };
    let kubectl = binaries::find_kubectl().or_else(|_| binaries::find(Program::Kubectl))?;
    let kubeconfig = cluster.kubeconfig(&TestUser::admin())?;
    let operator = cluster.kubeconfig(&TestUser::service_account(namespace, account))?;
    println!("{}", json!({ "kubectl": kubectl, "kubeconfig": kubeconfig, "operator": operator }));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    cluster.stop().await;
    Ok(())
}
