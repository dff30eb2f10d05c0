//! Run a future only while this process is the leader.
//!
//! Start it twice, in two terminals, with a kubeconfig for any cluster:
//!
//! ```text
//! POD_NAMESPACE=default cargo run -p lease-core --example run_while_leading
//! kubectl get lease backup.example.com --watch
//! ```
//!
//! One of them becomes the leader. If you end it with Ctrl-C, the other one takes over within milliseconds. If you kill it with `kill -9`, the other
//! one takes over when the Lease has expired (LeaseDuration, 15 s).

use std::time::Duration;

use lease_core::{ClientPool, Clock, Elections, ElectionsOptions, LeaderElectionId, SystemClock, Term};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();

    // Tasks that run on every replica do not need leader election: just spawn them.
    tokio::spawn(async { println!("metrics are served by every replica") });

    // Leader election in five lines.
    let config = kube::Config::infer().await?;
    let pool = ClientPool::new(config.clone(), "backup-operator/1.0")?;
    let options = ElectionsOptions::from_env(LeaderElectionId::new("backup.example.com")?)?;
    let elections = Elections::start(config, options).await?;
    let leader = elections.lead(move |term| back_up(term.client(&pool), term));
    tokio::signal::ctrl_c().await?;
    leader.shutdown().await; // the work finishes what it has begun, and then the Lease is released

    // Waits until the last event ("… stopped leading") has been written.
    elections.shutdown().await;
    Ok(())
}

/// The work that only one replica may do at a time. It sends all requests with `client`, which refuses to send once the term is over.
async fn back_up(client: kube::Client, term: Term) {
    println!("{} is the leader, with fencing token {}", term.identity(), term.token());
    // Check again before each unit of work: the process may have been paused since the last check.
    while term.is_valid() && !term.is_draining() {
        // `track` delays the release until this unit is done. If the unit blocks its thread, the Lease is not renewed.
        let unit = async {
            match client.apiserver_version().await {
                Ok(version) => println!("backed up one more table of the {} cluster", version.git_version),
                Err(error) => eprintln!("the backup of this table failed and is retried: {error}"),
            }
        };
        term.track(unit).await;
        tokio::select! {
            () = SystemClock.sleep(Duration::from_secs(1)) => {}
            () = term.draining() => {}
        }
    }
    println!("{} is no longer the leader", term.identity());
}
