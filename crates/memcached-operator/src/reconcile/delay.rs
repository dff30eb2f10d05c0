//! Reconciles that take their time, for tests of what happens meanwhile.
//!
//! With the feature `mutants`, `MEMCACHED_OPERATOR_TEST_DELAY=200ms..3s` makes each reconcile wait between reading and
//! writing, for a time drawn from `MEMCACHED_OPERATOR_TEST_SEED` (a number, 0 by default) and the version of the resource.
//! Without the feature, that is everywhere but in tests, neither is read and nobody waits.

#[cfg(feature = "mutants")]
pub(super) use drawn::Delay;
#[cfg(not(feature = "mutants"))]
pub(super) use none::Delay;

#[cfg(not(feature = "mutants"))]
mod none {
    use std::future::{Ready, ready};

    use lease_core::Clock;

    use crate::crd::Memcached;

    /// No wait.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::reconcile) struct Delay;

    impl Delay {
        pub(in crate::reconcile) fn from_env() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "with the feature, there is something to it")]
        pub(in crate::reconcile) fn pass(self, _: &Memcached, _: &dyn Clock) -> Ready<()> {
            ready(())
        }
    }
}

#[cfg(feature = "mutants")]
mod drawn {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::time::Duration;

    use lease_core::Clock;

    use crate::cli::parse_duration;
    use crate::crd::Memcached;

    /// A wait between two bounds: the same again for the same seed and version of a resource.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::reconcile) struct Delay {
        min: Duration,
        max: Duration,
        seed: u64,
    }

    impl Delay {
        pub(in crate::reconcile) fn between(min: Duration, max: Duration, seed: u64) -> Self {
            Self { min, max, seed }
        }

        /// None, unless the environment asks for one.
        pub(in crate::reconcile) fn from_env() -> Self {
            let Ok(text) = std::env::var("MEMCACHED_OPERATOR_TEST_DELAY") else {
                return Self::between(Duration::ZERO, Duration::ZERO, 0);
            };
            let seed = std::env::var("MEMCACHED_OPERATOR_TEST_SEED").map_or(Ok(0), |seed| seed.parse());
            let bounds = text.split_once("..").map(|(min, max)| (parse_duration(min), parse_duration(max)));
            match (bounds, seed) {
                (Some((Ok(min), Ok(max))), Ok(seed)) => Self::between(min, max, seed),
                _ => panic!(
                    "MEMCACHED_OPERATOR_TEST_DELAY={text}, or the seed, cannot be read; write 200ms..3s, and a number"
                ),
            }
        }

        /// Waits, unless there is nothing to wait for.
        pub(in crate::reconcile) async fn pass(self, memcached: &Memcached, clock: &dyn Clock) {
            if !self.max.is_zero() {
                clock.sleep(self.drawn(memcached)).await;
            }
        }

        fn drawn(self, memcached: &Memcached) -> Duration {
            let mut hasher = DefaultHasher::new();
            let meta = &memcached.metadata;
            (self.seed, &meta.name, meta.generation, &meta.resource_version).hash(&mut hasher);
            let roll = fastrand::Rng::with_seed(hasher.finish()).f64();
            self.min + self.max.saturating_sub(self.min).mul_f64(roll)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::reconcile::testing::memcached;
        use lease_core::{Now, SystemClock};
        use serde_json::json;
        use std::future::ready;
        use std::pin::Pin;
        use std::sync::Mutex;

        #[test]
        fn stays_within_its_bounds_and_repeats() {
            let delay = Delay::between(Duration::from_millis(200), Duration::from_secs(3), 7);
            let resource = memcached(json!({}));
            let drawn = delay.drawn(&resource);
            assert!((delay.min..=delay.max).contains(&drawn));
            assert_eq!(delay.drawn(&resource), drawn);
        }

        /// A clock on which every wait is over at once.
        #[derive(Debug, Default)]
        struct Waited(Mutex<Vec<Duration>>);

        impl Clock for Waited {
            fn now(&self) -> Now {
                SystemClock.now()
            }

            fn wall(&self) -> k8s_openapi::jiff::Timestamp {
                SystemClock.wall()
            }

            fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                self.0.lock().expect("no panic before").push(span);
                Box::pin(ready(()))
            }
        }

        #[tokio::test]
        async fn the_clock_that_was_given_does_the_waiting() {
            let (clock, resource) = (Waited::default(), memcached(json!({})));
            let delay = Delay::between(Duration::from_hours(1), Duration::from_hours(2), 7);
            delay.pass(&resource, &clock).await;
            Delay::between(Duration::ZERO, Duration::ZERO, 7).pass(&resource, &clock).await;
            assert_eq!(*clock.0.lock().expect("no panic before"), [delay.drawn(&resource)]);
        }
    }
}
