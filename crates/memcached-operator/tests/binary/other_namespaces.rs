//! Two replicas of one installation with different `--watch-namespaces`, as in a rolling update that changes them, or by mistake.

use kube_testkit::eventually;

use crate::cluster::{SOON, start_cluster};
use crate::replica::Replica;

#[tokio::test]
async fn replicas_that_watch_other_namespaces_say_so_and_stay_ready() {
    let Some((cluster, _client)) = start_cluster("the operator is installed in the whole cluster").await
    else {
        return;
    };
    let one = Replica::start(&cluster, "op-0", &["--shards=2", "--watch-namespaces=team-a"]);
    let mut other = Replica::start(&cluster, "op-1", &["--shards=2", "--watch-namespaces=team-b,team-a"]);
    for (replica, own, others) in [(&one, "team-a", "team-a,team-b"), (&other, "team-a,team-b", "team-a")] {
        counts(replica, 1).await;
        let (log, own) = (replica.log(), format!("this one watches namespaces {own}, op-"));
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&own)).collect();
        assert!(lines.len() == 1 && lines[0].contains(&format!(" watches namespaces {others};")), "{log}");
        replica.answers_readiness(200, "ready").await;
    }
    other.terminate();
    other.exit().await;
    counts(&one, 0).await;
}

/// Waits until the metric says that so many others differ.
async fn counts(replica: &Replica, others: usize) {
    let line = format!("\nshard_router_replicas_with_other_namespaces {others}\n");
    eventually(&format!("/metrics to contain {line:?}"), SOON, || async {
        let (_, body) = replica.get("--metrics-addr", "/metrics").await?;
        body.contains(&line).then_some(())
    })
    .await;
}
