//! Reconciles that take their time, for tests of what happens meanwhile.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::crd::Memcached;

/// A wait between two bounds, drawn from a seed and the version of the resource: the same again for the same run.
#[derive(Clone, Debug)]
pub struct Delay {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// What it is drawn from.
    pub seed: u64,
}

impl Delay {
    pub(super) async fn wait(&self, memcached: &Memcached) {
        tokio::time::sleep(self.drawn(memcached)).await;
    }

    fn drawn(&self, memcached: &Memcached) -> Duration {
        let mut hasher = DefaultHasher::new();
        (self.seed, &memcached.metadata.uid, &memcached.metadata.resource_version).hash(&mut hasher);
        let roll = fastrand::Rng::with_seed(hasher.finish()).f64();
        self.min + self.max.saturating_sub(self.min).mul_f64(roll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::memcached;
    use serde_json::json;

    #[test]
    fn stays_within_its_bounds_and_repeats() {
        let delay = Delay { min: Duration::from_millis(200), max: Duration::from_secs(3), seed: 7 };
        let resource = memcached(json!({}));
        let drawn = delay.drawn(&resource);
        assert!((delay.min..=delay.max).contains(&drawn));
        assert_eq!(delay.drawn(&resource), drawn);
    }
}
