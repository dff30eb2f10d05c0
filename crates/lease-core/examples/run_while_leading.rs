//! Run a future only while this process leads.
//!
//! Start it twice, in two terminals, against any cluster that your kubeconfig names:
//!
//! ```text
//! POD_NAMESPACE=default cargo run -p lease-core --example run_while_leading
//! kubectl get lease backup.example.com --watch
//! ```
//!
//! One of them leads. End it with Ctrl-C and the other one leads within milliseconds; kill it with `kill -9` and the other
//! one leads when the Lease has expired (LeaseDuration, 15 s).

use std::time::Duration;

use lease_core::{ClientPool, Clock, Elections, ElectionsOptions, LeaderElectionId, SystemClock, Term};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();

    // Tasks for every replica, whether it leads or not, need nothing from here: spawn them.
    tokio::spawn(async { println!("metrics are served by every replica") });

    // The five lines.
    let config = kube::Config::infer().await?;
    let pool = ClientPool::new(config.clone(), "backup-operator/1.0")?;
    let options = ElectionsOptions::from_env(LeaderElectionId::new("backup.example.com")?)?;
    let elections = Elections::start(config, options).await?;
    let leader = elections.lead(move |term| back_up(term.client(&pool), term));
    tokio::signal::ctrl_c().await?;
    leader.shutdown().await; // the work finishes what it has begun, and then the Lease is released

    // The last event ("… stopped leading") is still on its way.
    elections.shutdown().await;
    Ok(())
}

/// What only one replica may do at a time. Every request of it goes through `client`, which refuses to send once the term is over.
async fn back_up(client: kube::Client, term: Term) {
    println!("{} leads, with fencing token {}", term.identity(), term.token());
    // A fresh check before each unit of work. Whatever holds the process up, an old check is no permission.
    while term.is_valid() && !term.is_draining() {
        // `track` holds the release back until this unit is done, and lets the Lease go if it blocks its thread.
        let unit = async {
            match client.apiserver_version().await {
                Ok(version) => println!("one more table of the {} cluster is safe", version.git_version),
                Err(error) => eprintln!("this table is tried again: {error}"),
            }
        };
        term.track(unit).await;
        tokio::select! {
            () = SystemClock.sleep(Duration::from_secs(1)) => {}
            () = term.draining() => {}
        }
    }
    println!("{} leads no more", term.identity());
}
