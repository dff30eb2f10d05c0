//! Leader election for a whole program, in five lines.
//!
//! ```text
//! cargo run -p lease-core --features serve --example leader
//! ```
//!
//! needs no cluster: it starts an API server in memory and two replicas in this process, and ends the leader after a while, so that the other
//! one takes over. End that one with Ctrl-C. With `--cluster` it is one replica, and uses the kubeconfig of this machine:
//!
//! ```text
//! POD_NAMESPACE=default cargo run -p lease-core --features serve --example leader -- --cluster
//! kubectl get lease backup.example.com --watch
//! ```

use std::future::IntoFuture;
use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, WallSeams};
use lease_core::{Clock, ElectionsOptions, Identity, LeaderElectionId, LeaderTerm, SystemClock, Timings};

type Error = Box<dyn std::error::Error>;

// One thread is enough: the Leases have one of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().init();
    if std::env::args().any(|argument| argument == "--cluster") {
        // Leader election in five lines, with signals, health and metrics.
        let config = kube::Config::infer().await?;
        return Ok(lease_core::run(config, "backup.example.com", back_up)
            .serve(([0, 0, 0, 0], 8080))
            .await?);
    }
    let server = EmbeddedServer::new(WallSeams::new(7)).listen(0).await?;
    let config = kube::Config::new(server.url().parse()?);
    let first = lease_core::run(config.clone(), options("backup-0")?, back_up)
        .until(SystemClock.sleep(Duration::from_secs(15)));
    let leader = first.leader();
    let first = tokio::spawn(first.into_future());
    while !leader.is_me() {
        SystemClock.sleep(Duration::from_millis(100)).await;
    }
    // The first signal ends it in good order, the second at once.
    lease_core::run(config, options("backup-1")?, back_up).await?;
    Ok(first.await??)
}

fn options(pod: &str) -> Result<ElectionsOptions, Error> {
    let id = LeaderElectionId::new("backup.example.com")?;
    // In a Pod, `ElectionsOptions::from_env` finds namespace and identity.
    Ok(ElectionsOptions::new(id, "default", Identity::of_pod(pod, "example")?).timings(Timings::fast()))
}

/// The work that only one replica may do at a time.
async fn back_up(term: LeaderTerm) {
    println!("{} is the leader, with fencing token {}", term.identity(), term.token());
    let client = term.client(); // refuses to send once the term is over
    while term.is_valid() && !term.is_draining() {
        match client.apiserver_version().await {
            Ok(version) => println!("{} backed up a table of {}", term.identity(), version.git_version),
            Err(error) => eprintln!("the backup of this table failed and is retried: {error}"),
        }
        tokio::select! {
            () = SystemClock.sleep(Duration::from_secs(1)) => {}
            () = term.draining() => {}
        }
    }
    println!("{} finishes, and its Lease is released", term.identity());
}
