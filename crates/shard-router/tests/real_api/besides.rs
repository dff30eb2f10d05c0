//! What runs besides reconciles of a shard: tasks, metrics, and a replica without leader election.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use kube::api::ListParams;
use kube_testkit::eventually;
use prometheus_client::registry::Registry;
use shard_router::{Metrics, TaskContext};

use crate::{
    fleet::{DEADLINE, Fleet, violations},
    scenarios::quick,
    widget::create,
};

/// Counts how many of a task run, and how many ever ran at once.
#[derive(Clone, Default)]
struct Count {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    started: Arc<AtomicU32>,
}

impl Count {
    async fn run(self, context: TaskContext) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.started.fetch_add(1, Ordering::SeqCst);
        context.shutdown().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    async fn reaches(&self, running: u32, started: u32) {
        eventually(&format!("{running} tasks to run of {started} started"), DEADLINE, || async {
            let now = (self.now.load(Ordering::SeqCst), self.started.load(Ordering::SeqCst));
            (now == (running, started)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_the_coordinator_runs_once_and_moves_and_one_of_every_replica_runs_everywhere() {
    let Some(fleet) = Fleet::new("the coordinator Lease lives there").await else { return };
    let (single, every) = (Count::default(), Count::default());
    let start = |pod: &str| {
        let (single, every) = (single.clone(), every.clone());
        let (identity, app) = fleet.app(fleet.options(pod, 1));
        let app = app
            .run_on_coordinator("single", move |context| single.clone().run(context))
            .run_on_every_replica("every", move |context| every.clone().run(context));
        Fleet::assemble((identity, app), quick)
    };
    let a = start("pod-a");
    single.reaches(1, 1).await;
    let b = start("pod-b");
    every.reaches(2, 2).await;
    b.ready().await;
    a.terminate().await;
    single.reaches(1, 2).await;
    every.reaches(1, 2).await;
    b.terminate().await;
    single.reaches(0, 2).await;
    every.reaches(0, 2).await;
    assert_eq!(single.most.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leader_election_one_replica_runs_everything_and_there_are_no_leases() {
    let Some(fleet) = Fleet::new("the whole path from watch to reconcile is meant").await else { return };
    let mut options = fleet.options("pod-a", 4);
    options.elections.leader_election = false;
    let replica = fleet.start(options, quick);
    let mut names = Vec::new();
    for n in 0..10 {
        names.push(format!("w{n}"));
        create(&fleet.widgets, &format!("w{n}"), &[]).await;
    }
    fleet.reconciled(&names).await;
    assert_eq!(fleet.leases.list(&ListParams::default()).await.unwrap().items.len(), 0);
    replica.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_tell_what_is_held_and_done() {
    let Some(fleet) = Fleet::new("the whole path from watch to reconcile is meant").await else { return };
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (identity, app) = fleet.app(fleet.options("pod-a", 2));
    let replica = Fleet::assemble((identity, app.metrics(metrics)), quick);
    create(&fleet.widgets, "w", &[]).await;
    fleet.reconciled(&["w".to_owned()]).await;
    fleet.settle_at(&[2]).await;
    let lines = [
        "leader_election_master_status{name=\"widgets.test.shard-router.dev-shard-1\"} 1",
        "shard_router_shard_owned{shard=\"0\"} 1",
        "shard_router_reconciles_total{kind=\"Widget.test.shard-router.dev\",outcome=\"ok\"} 1",
        "shard_router_reconcile_duration_seconds_count{kind=\"Widget.test.shard-router.dev\"} 1",
        "shard_router_acquisition_seconds_count 2",
        "shard_router_shard_start_seconds_count 2",
    ];
    let mut text = String::new();
    eventually("the metrics to tell", DEADLINE, || {
        text.clear();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let complete = lines.iter().all(|line| text.contains(line));
        let complete = complete && text.contains("shard_router_queue_depth");
        async move { complete.then_some(()) }
    })
    .await;
    replica.terminate().await;
    text.clear();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("shard_router_shard_owned{shard=\"0\"} 0"), "{text}");
    let start = text.lines().find_map(|line| line.strip_prefix("shard_router_start_time_seconds "));
    assert!(start.is_some_and(|start| start != "0"), "{text}");
    assert!(text.contains("shard_router_handover_seconds_count 2"), "{text}");
    assert_eq!(violations(&fleet.records), [""; 0]);
}
