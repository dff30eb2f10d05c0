//! A process that is killed and started again with the same state directory, as a kubelet restarts a container in its Pod.

use std::time::{Duration, Instant};

use kube::Client;
use kube_testkit::eventually;

use crate::cluster::{NAMESPACE, SOON, start_cluster};
use crate::replica::Replica;

const SHARDS: usize = 4;
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// LeaseDuration − RenewDeadline.
const LONGEST_TRANSIT: Duration = Duration::from_secs(5);

/// The process that comes next is killed before it has taken anything, so that the third one has to know of the first.
#[tokio::test]
async fn the_shards_of_a_killed_process_are_taken_back_before_they_expire() {
    let Some((cluster, client)) = start_cluster("Leases are waited for").await else { return };
    let dir = cluster.dir().path().join("state");
    std::fs::create_dir(&dir).expect("created");
    let state_dir = format!("--state-dir={}", dir.display());
    let flags =
        ["--shards=4", "--lease-duration=15s", "--renew-deadline=10s", "--retry-period=2s", &state_dir];
    let mut replica = Replica::start(&cluster, "op-0", &flags);
    let first = all_held(&client, "").await;
    replica.kill();
    replica.exit().await;

    replica.restart();
    eventually("the second process to know of the first", SOON, || async {
        replica.log().contains(&format!("{first} has ended")).then_some(())
    })
    .await;
    replica.kill();
    replica.exit().await;

    let begun = Instant::now();
    replica.restart();
    let third = all_held(&client, &first).await;
    let took = begun.elapsed();
    assert_ne!(first, third);
    assert!(
        took >= LONGEST_TRANSIT,
        "writes of the processes before may still have been on their way: {took:?}"
    );
    assert!(took < LEASE_DURATION, "they would have expired by then: {took:?}");
    println!("held again {took:?} after the start");
}

/// Two containers of a Pod mount one volume.
#[tokio::test]
async fn a_second_process_in_a_state_directory_says_so_and_leaves_it_alone() {
    let Some((cluster, client)) = start_cluster("Leases are held").await else { return };
    let dir = cluster.dir().path().join("state");
    std::fs::create_dir(&dir).expect("created");
    let state_dir = format!("--state-dir={}", dir.display());
    let first = Replica::start(&cluster, "op-0", &["--shards=4", &state_dir]);
    let holder = all_held(&client, "").await;
    let second = Replica::start(&cluster, "op-1", &["--shards=4", &state_dir]);
    eventually("the second process to say why it proves nothing", SOON, || async {
        second.log().contains("another process holds the lock on").then_some(())
    })
    .await;
    second.answers_readiness(200, "ready").await;
    assert!(!second.log().contains("has ended"), "{}", second.log());
    let text = std::fs::read_to_string(dir.join(fleet::LEADER_ELECTION_ID)).expect("the file is there");
    assert!(text.contains(&holder) && !text.contains("op-1"), "{text}");
    drop(first);
}

/// Waits until one process, which is not this one, holds all shards, and returns its identity.
async fn all_held(client: &Client, but_not_by: &str) -> String {
    eventually("one process to hold all shards", SOON, || async {
        let leases = fleet::shard_leases(client, NAMESPACE).await.ok()?;
        let holder = leases.first()?.holder.clone()?;
        let one = leases.len() == SHARDS && leases.iter().all(|lease| lease.holder.as_ref() == Some(&holder));
        (one && holder != but_not_by).then_some(holder)
    })
    .await
}
