//! How things are drawn.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

/// One of several, each as likely as its weight.
pub(super) fn of<T: Clone>(rng: &mut Rng, choices: &[(u32, T)]) -> T {
    let all: u32 = choices.iter().map(|(weight, _)| weight).sum();
    let mut left = rng.u32(..all);
    for (weight, choice) in choices {
        if left < *weight {
            return choice.clone();
        }
        left -= weight;
    }
    unreachable!("the number drawn is less than the sum of the weights")
}

/// So many milliseconds.
pub(super) fn millis(rng: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

/// A duration between two others.
pub(super) fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    let range = most.saturating_sub(least);
    least + range.mul_f64(rng.f64())
}
