//! Reconciles that take their time, for tests of what happens meanwhile.
//!
//! With the feature `mutants`, `MEMCACHED_OPERATOR_TEST_DELAY=200ms..3s` makes each reconcile wait between reading and
//! writing, for a time drawn from `MEMCACHED_OPERATOR_TEST_SEED` (a number, 0 by default) and the version of the resource.
//! Without the feature, that is everywhere but in tests, neither is read and nobody waits.

#[cfg(not(feature = "mutants"))]
#[inline]
pub(super) async fn delay(_: &crate::crd::Memcached) {}

#[cfg(feature = "mutants")]
pub(super) use switch::delay;

#[cfg(feature = "mutants")]
mod switch {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::sync::OnceLock;
    use std::time::Duration;

    use crate::cli::parse_duration;
    use crate::crd::Memcached;

    static FROM_ENVIRONMENT: OnceLock<Option<Delay>> = OnceLock::new();

    /// See the stand-in of the same name.
    pub(in crate::reconcile) async fn delay(memcached: &Memcached) {
        if let Some(delay) = FROM_ENVIRONMENT.get_or_init(from_environment) {
            tokio::time::sleep(delay.drawn(memcached)).await;
        }
    }

    /// A wait between two bounds: the same again for the same seed and version of a resource.
    struct Delay {
        min: Duration,
        max: Duration,
        seed: u64,
    }

    impl Delay {
        fn drawn(&self, memcached: &Memcached) -> Duration {
            let mut hasher = DefaultHasher::new();
            let meta = &memcached.metadata;
            (self.seed, &meta.name, meta.generation, &meta.resource_version).hash(&mut hasher);
            let roll = fastrand::Rng::with_seed(hasher.finish()).f64();
            self.min + self.max.saturating_sub(self.min).mul_f64(roll)
        }
    }

    fn from_environment() -> Option<Delay> {
        let text = std::env::var("MEMCACHED_OPERATOR_TEST_DELAY").ok()?;
        let seed = std::env::var("MEMCACHED_OPERATOR_TEST_SEED").map_or(Ok(0), |seed| seed.parse());
        let bounds = text.split_once("..").map(|(min, max)| (parse_duration(min), parse_duration(max)));
        match (bounds, seed) {
            (Some((Ok(min), Ok(max))), Ok(seed)) => Some(Delay { min, max, seed }),
            _ => panic!(
                "MEMCACHED_OPERATOR_TEST_DELAY={text}, or the seed, cannot be read; write 200ms..3s, and a number"
            ),
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
}
