//! A replica that waits for a Lease says so: before its first term nothing else tells it from one that hangs.

use kube_testkit::eventually;

use crate::cluster::{SOON, start_cluster};
use crate::replica::Replica;

const ID: &str = "memcached.cache.example.com";

#[tokio::test]
async fn a_first_install_and_a_wait_for_an_old_holder_are_told_in_a_sentence() {
    let Some((cluster, _client)) = start_cluster("Leases are waited for").await else { return };
    let mut first = Replica::start(&cluster, "op-0", &["--shards=2"]);
    let leads = format!("became leader lease={ID} ");
    says(&first, &leads).await;
    let log = first.log();
    let (before, _) = log.split_once(&leads).expect("it was just said");
    for sentence in [
        format!("there is no lease {ID}; somebody may still hold one that was deleted"),
        format!("which holds lease {ID}, to release it, or not to renew it for 5 s"),
    ] {
        assert!(before.contains(&sentence), "{sentence:?} is missing before the first term in {before}");
    }
    let holder = identity(&log);
    first.kill();
    first.exit().await;

    let second = Replica::start(&cluster, "op-1", &["--shards=2"]);
    says(&second, &leads).await;
    let log = second.log();
    let (before, _) = log.split_once(&leads).expect("it was just said");
    let sentence =
        format!("waiting for {holder}, which holds lease {ID}, to release it, or not to renew it for 5 s");
    assert!(before.contains(&sentence), "{sentence:?} is missing before the takeover in {before}");
}

async fn says(replica: &Replica, what: &str) {
    eventually(&format!("a replica to say {what:?}"), SOON, || async {
        replica.log().contains(what).then_some(())
    })
    .await;
}

/// The holderIdentity that a replica names when it starts.
fn identity(log: &str) -> &str {
    let (_, rest) = log.split_once("starting replica=\"").expect("it says who it is");
    rest.split('"').next().expect("a closing quote")
}
