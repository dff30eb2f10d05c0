//! What replicas publish of the load of shards, as an autoscaler adds it up.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use prometheus_client::{encoding::text::encode, registry::Registry};
use shard_router::{Action, Held, Metrics, prometheus_client};

use crate::{
    harness::{Harness, Replica},
    widget::{Widget, create},
};

/// What a reconcile takes.
const WORK: Duration = Duration::from_secs(2);
const WIDGETS: usize = 12;

fn start(harness: &Harness, pod: &str) -> (Replica, Registry) {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (network, mut app) = harness.app(harness.options(pod, 4).with_resync(None));
    let clock = harness.clock.clone();
    app.controller::<Widget>().run(move |_: Arc<Widget>, _: Held| {
        let work = clock.sleep(WORK);
        async move {
            work.await;
            Ok::<_, Infallible>(Action::await_change())
        }
    });
    (Harness::spawn(network, app.metrics(metrics)), registry)
}

/// The values of a metric by shard.
fn by_shard(registry: &Registry, metric: &str) -> BTreeMap<u16, f64> {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let of_shard = |line: &str| {
        let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.split_once("} ")?;
        let shard = labels.split_once("shard=\"")?.1.trim_end_matches('"');
        Some((shard.parse().ok()?, value.parse().ok()?))
    };
    text.lines().filter_map(of_shard).collect()
}

const METRICS: [&str; 4] = [
    "shard_router_queue_depth",
    "shard_router_queue_age_seconds",
    "shard_router_shard_reconciles_total",
    "shard_router_shard_busy_seconds_total",
];

#[tokio::test(start_paused = true)]
async fn each_shard_is_counted_by_the_replica_that_works_on_it_and_by_no_other() {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let (first, of_first) = start(&harness, "op-0");
    let (reconciles, busy) = (METRICS[2], METRICS[3]);
    let done = |registry: &Registry| by_shard(registry, reconciles).values().sum::<f64>();
    harness.until("all to be reconciled", || async { done(&of_first) >= 12.0 }).await;
    harness.clock.sleep(Duration::from_secs(60)).await;
    let (counts, seconds) = (by_shard(&of_first, reconciles), by_shard(&of_first, busy));
    assert_eq!((counts.len(), seconds.len()), (4, 4));
    for (shard, count) in &counts {
        assert!((seconds[shard] - count * WORK.as_secs_f64()).abs() < 0.1, "{counts:?} took {seconds:?}");
    }

    let (second, of_second) = start(&harness, "op-1");
    harness.until("the second to get its share", || async { by_shard(&of_second, busy).len() == 2 }).await;
    harness.clock.sleep(Duration::from_secs(60)).await;
    for metric in METRICS {
        let (one, other) = (by_shard(&of_first, metric), by_shard(&of_second, metric));
        assert_eq!((one.len(), other.len()), (2, 2), "{metric}");
        assert!(one.keys().all(|shard| !other.contains_key(shard)), "{metric}: {one:?} and {other:?}");
    }
    for replica in [first, second] {
        drop(replica.stop);
        replica.task.await.unwrap().unwrap();
    }
    for metric in METRICS {
        assert!(
            by_shard(&of_first, metric).is_empty() && by_shard(&of_second, metric).is_empty(),
            "{metric}"
        );
    }
}
