//! The queue of one shard, and for how long its oldest reconcile has waited.
//!
//! The age is worked out when it is asked for: a queue that does not move is the one that matters, and there nothing
//! would ever come by to update a gauge.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use lease_core::{Clock, Monotonic};
use parking_lot::{Mutex, MutexGuard};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Unit,
};

use super::labels::KindShardLabel;

/// The queues of all shards that this replica has held, by kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Queues(Arc<Mutex<BTreeMap<KindShardLabel, Queue>>>);

/// Waiting reconciles of one kind in one shard.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    clock: Arc<dyn Clock>,
    line: Arc<Mutex<Line>>,
}

#[derive(Debug, Default)]
struct Line {
    /// Since when each waits, by its number: the first is the oldest.
    waiting: BTreeMap<u64, Monotonic>,
    next: u64,
}

/// Counts as waiting while it lives.
pub(crate) struct Waiting<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Queues {
    /// The queue of this kind and shard. Several holders of the queue share it.
    pub(super) fn of(&self, label: &KindShardLabel, clock: &Arc<dyn Clock>) -> Queue {
        let new = || Queue { clock: clock.clone(), line: Arc::default() };
        lock(&self.0).entry(label.clone()).or_insert_with(new).clone()
    }
}

impl Queue {
    /// Joins the queue.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut line = lock(&self.line);
        let number = line.next;
        line.next += 1;
        line.waiting.insert(number, self.clock.now().monotonic);
        Waiting { queue: self, number }
    }

    fn depth(&self) -> usize {
        lock(&self.line).waiting.len()
    }

    fn age(&self) -> Duration {
        let oldest = lock(&self.line).waiting.first_key_value().map(|(_, since)| *since);
        oldest.map_or(Duration::ZERO, |since| self.clock.now().monotonic.duration_since(since))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.queue.line).waiting.remove(&self.number);
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let queues = lock(&self.0).clone();
        let mut depths = encoder.encode_descriptor(
            "queue_depth",
            "Reconciles waiting to begin, by kind and shard.",
            None,
            MetricType::Gauge,
        )?;
        for (label, queue) in &queues {
            let depth = i64::try_from(queue.depth()).unwrap_or(i64::MAX);
            ConstGauge::new(depth).encode(depths.encode_family(label)?)?;
        }
        let mut ages = encoder.encode_descriptor(
            "queue_age",
            "How long the oldest reconcile has been waiting to begin, by kind and shard.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for (label, queue) in &queues {
            ConstGauge::new(queue.age().as_secs_f64()).encode(ages.encode_family(label)?)?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;
    use crate::{routing::part::Part, testing::ByHand};

    #[test]
    fn the_age_is_that_of_the_oldest_and_grows_while_nothing_happens() {
        let time = Arc::new(ByHand::default());
        let clock: Arc<dyn Clock> = time.clone();
        let queues = Queues::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(queues.clone()));
        let shown = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let value = |line: &str| line.rsplit_once(' ').unwrap().1.to_owned();
            text.lines().filter(|line| line.contains("shard=")).map(value).collect::<Vec<_>>()
        };
        let queue = queues
            .of(&KindShardLabel { kind: "Gadget.example.com".to_owned(), shard: Part::Unsharded }, &clock);
        assert_eq!(shown(), ["0", "0.0"]);
        let oldest = queue.wait();
        time.advance(Duration::from_secs(5));
        let _younger = queue.wait();
        time.advance(Duration::from_secs(2));
        assert_eq!(shown(), ["2", "7.0"]);
        drop(oldest);
        assert_eq!(shown(), ["1", "2.0"]);
    }
}
