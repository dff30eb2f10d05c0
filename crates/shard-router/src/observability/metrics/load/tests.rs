//! What is shown of the load of shards.

use std::{collections::BTreeSet, path::Path};

use prometheus_client::{encoding::text::encode, registry::Registry};

use super::*;
use crate::{
    observability::metrics::Metrics,
    routing::{bucket::ShardId, part::Part},
    testing::ByHand,
};

struct Shown {
    time: Arc<ByHand>,
    loads: Loads,
    registry: Registry,
}

impl Shown {
    fn new() -> Self {
        let (loads, mut registry) = (Loads::default(), Registry::default());
        registry.register_collector(Box::new(loads.clone()));
        Self { time: Arc::default(), loads, registry }
    }

    fn load(&self, shard: u16) -> ShardLoad {
        let clock: Arc<dyn Clock> = self.time.clone();
        let shard = Part::Shard(ShardId(shard));
        self.loads.of(&KindShardLabel { kind: "Gadget.example.com".to_owned(), shard }, &clock)
    }

    /// Depth, age, reconciles and busy time of one shard.
    fn values(&self, shard: u16) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let of_shard = format!("shard=\"{shard}\"");
        let value = |line: &str| line.rsplit_once(' ').unwrap().1.to_owned();
        text.lines().filter(|line| line.contains(&of_shard)).map(value).collect()
    }

    fn pass(&self, seconds: u64) {
        self.time.advance(Duration::from_secs(seconds));
    }
}

#[test]
fn the_age_is_that_of_the_oldest_and_grows_while_nothing_happens() {
    let shown = Shown::new();
    let load = shown.load(1);
    assert_eq!(shown.values(1), ["0", "0.0", "0", "0.0"]);
    let oldest = load.wait();
    shown.pass(5);
    let _younger = load.wait();
    shown.pass(2);
    assert_eq!(shown.values(1)[..2], ["2", "7.0"]);
    drop(oldest);
    assert_eq!(shown.values(1)[..2], ["1", "2.0"]);
}

#[test]
fn a_reconcile_counts_as_busy_while_it_runs_and_no_longer() {
    let shown = Shown::new();
    let load = shown.load(1);
    let (one, other) = (load.begin(), load.begin());
    shown.pass(3);
    assert_eq!(shown.values(1)[2..], ["0", "6.0"], "two at once");
    drop(one);
    shown.pass(4);
    assert_eq!(shown.values(1)[2..], ["1", "10.0"]);
    drop(other);
    shown.pass(9);
    assert_eq!(shown.values(1)[2..], ["2", "10.0"]);
}

#[test]
fn the_series_of_a_shard_end_when_it_is_given_up() {
    let shown = Shown::new();
    let (first, again, other) = (shown.load(1), shown.load(1), shown.load(2));
    let running = first.begin();
    drop((first, again));
    assert_eq!(shown.values(1).len(), 4, "a reconcile of it still runs");
    drop(running);
    assert_eq!(shown.values(1).len(), 0);
    assert_eq!(shown.values(2).len(), 4);
    assert_eq!(shown.loads.0.lock().len(), 1, "nothing is left of it");
    let anew = shown.load(1);
    assert_eq!(shown.values(1)[2..], ["0", "0.0"], "another hold begins at zero");
    drop((anew, other));
}

/// A name in the text that no metric has would give an autoscaler nothing to scale by.
#[test]
fn the_metrics_that_the_page_on_operations_names_exist() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    // Without a series there would be no trace of it.
    let shard = Part::Shard(ShardId(0));
    drop(metrics.objects.get_or_create(&KindShardLabel { kind: "Gadget.example.com".to_owned(), shard }));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let exist: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("shard_router_")).collect();
    assert!(
        named.contains("shard_router_shard_busy_seconds_total"),
        "the example for an autoscaler: {named:?}"
    );
    for name in named {
        let is_it = exist.contains(name.trim_end_matches("_total"))
            || exist.contains(name.trim_end_matches("_bucket"));
        assert!(is_it || name == "shard_router_", "{name} is none of {exist:?}");
    }
}
