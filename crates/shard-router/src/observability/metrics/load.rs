//! The load of each shard: how many reconciles wait, for how long the oldest has waited, and how much time reconciles take.
//!
//! What takes time is worked out when it is asked for: a queue that does not move, or a reconcile that does not end, is what matters, and nothing would
//! ever come by to update a gauge.
//!
//! The series of a shard exist as long as it is worked on here. A sum over all replicas so counts each shard once, and a shard that has moved does not leave an old value behind.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use lease_core::{Clock, Monotonic};
use parking_lot::{Mutex, MutexGuard};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        gauge::ConstGauge,
    },
    registry::Unit,
};

use super::labels::KindShardLabel;

/// The loads of all shards that are worked on, by kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Loads(Arc<Mutex<BTreeMap<KindShardLabel, Weak<Inner>>>>);

/// The load of one kind in one shard. Its series end with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct ShardLoad(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Since>,
    running: Mutex<Since>,
    /// Of reconciles that have ended.
    busy: Mutex<Duration>,
    ended: Counter,
}

/// Since when each of several has been there, by its number: the first is the oldest.
#[derive(Debug, Default)]
struct Since {
    since: BTreeMap<u64, Monotonic>,
    next: u64,
}

/// Counts as waiting while it lives.
pub(crate) struct Waiting<'a> {
    load: &'a ShardLoad,
    number: u64,
}

/// Counts as running while it lives.
pub(crate) struct Busy {
    load: ShardLoad,
    number: u64,
}

impl Loads {
    /// That of this kind and shard. Several parts of the work share it.
    pub(super) fn of(&self, label: &KindShardLabel, clock: &Arc<dyn Clock>) -> ShardLoad {
        let mut loads = self.0.lock();
        if let Some(known) = loads.get(label).and_then(Weak::upgrade) {
            return ShardLoad(known);
        }
        let new = Arc::new(Inner {
            clock: clock.clone(),
            waiting: Mutex::default(),
            running: Mutex::default(),
            busy: Mutex::default(),
            ended: Counter::default(),
        });
        loads.insert(label.clone(), Arc::downgrade(&new));
        ShardLoad(new)
    }

    /// Those of shards that are still worked on.
    fn current(&self) -> BTreeMap<KindShardLabel, ShardLoad> {
        let mut loads = self.0.lock();
        loads.retain(|_, load| load.strong_count() > 0);
        loads.iter().filter_map(|(label, load)| Some((label.clone(), ShardLoad(load.upgrade()?)))).collect()
    }
}

impl ShardLoad {
    /// A reconcile waits to begin.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let number = self.0.waiting.lock().add(self.now());
        Waiting { load: self, number }
    }

    /// A reconcile has begun.
    pub(crate) fn begin(&self) -> Busy {
        let number = self.0.running.lock().add(self.now());
        Busy { load: self.clone(), number }
    }

    fn depth(&self) -> usize {
        self.0.waiting.lock().since.len()
    }

    fn age(&self) -> Duration {
        let oldest = self.0.waiting.lock().since.first_key_value().map(|(_, since)| *since);
        oldest.map_or(Duration::ZERO, |since| self.now().duration_since(since))
    }

    /// The time that reconciles have taken so far, those that run included.
    fn busy(&self) -> Duration {
        let running: MutexGuard<'_, Since> = self.0.running.lock();
        let now = self.now();
        // Within the lock, so that one that ends meanwhile counts once.
        running.since.values().map(|since| now.duration_since(*since)).sum::<Duration>() + *self.0.busy.lock()
    }

    fn now(&self) -> Monotonic {
        self.0.clock.now().monotonic
    }
}

impl Since {
    fn add(&mut self, now: Monotonic) -> u64 {
        let number = self.next;
        self.next += 1;
        self.since.insert(number, now);
        number
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.load.0.waiting.lock().since.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let inner = &self.load.0;
        let mut running = inner.running.lock();
        if let Some(since) = running.since.remove(&self.number) {
            *inner.busy.lock() += self.load.now().duration_since(since);
        }
        inner.ended.inc();
    }
}

impl Collector for Loads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let loads = self.current();
        let help = "Reconciles waiting to begin, by kind and shard.";
        let mut depths = encoder.encode_descriptor("queue_depth", help, None, MetricType::Gauge)?;
        for (label, load) in &loads {
            let depth = i64::try_from(load.depth()).unwrap_or(i64::MAX);
            ConstGauge::new(depth).encode(depths.encode_family(label)?)?;
        }
        let help = "How long the oldest reconcile has been waiting to begin, by kind and shard.";
        let seconds = Some(&Unit::Seconds);
        let mut ages = encoder.encode_descriptor("queue_age", help, seconds, MetricType::Gauge)?;
        for (label, load) in &loads {
            ConstGauge::new(load.age().as_secs_f64()).encode(ages.encode_family(label)?)?;
        }
        let help = "Reconciles that have ended, by kind and shard.";
        let mut ended = encoder.encode_descriptor("shard_reconciles", help, None, MetricType::Counter)?;
        for (label, load) in &loads {
            ConstCounter::new(load.0.ended.get()).encode(ended.encode_family(label)?)?;
        }
        let help = "Time that reconciles have taken, those that run included, by kind and shard: its rate is the number of reconciles that run at once.";
        let mut busy = encoder.encode_descriptor("shard_busy", help, seconds, MetricType::Counter)?;
        for (label, load) in &loads {
            ConstCounter::new(load.busy().as_secs_f64()).encode(busy.encode_family(label)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
