//! Starts an API server and keeps it until Ctrl-C.
//!
//! ```text
//! cargo run -p kube-testkit --example control_plane
//! KUBE_TESTKIT_BACKEND=testcontainers cargo run -p kube-testkit --example control_plane
//! ```

use std::error::Error;
use std::time::Instant;

use kube_testkit::{Cluster, ClusterOptions, TestUser};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let cluster = match Cluster::start(ClusterOptions::default()).await {
        Ok(cluster) => cluster,
        Err(error) => {
            // The sentence itself, rather than its Debug form that returning it would print.
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    println!("{} is ready after {:.1?} ({})", cluster.server(), started.elapsed(), cluster.backend());
    println!("export KUBECONFIG={}", cluster.kubeconfig(&TestUser::admin())?.display());
    if let Some(audit) = cluster.audit_log() {
        println!("audit log: {}", audit.display());
    }
    tokio::signal::ctrl_c().await?;
    cluster.stop().await;
    Ok(())
}
