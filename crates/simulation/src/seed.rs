//! From one seed to many streams of random numbers, one for each concern.
//!
//! What is drawn for one concern does not shift what is drawn for another, so that a schedule with one fault fewer, or a version
//! that draws one number more somewhere, still runs much the same course.

use std::hash::Hasher;

use fnv::FnvHasher;

/// The stream of random numbers for one concern, such as `"latency replica-0"`. The same on every machine.
pub fn stream(seed: u64, kind: &str) -> fastrand::Rng {
    // FNV-1a tells the names apart; the finalizer spreads what differs in a few low bits only, as neighbouring seeds do.
    let mut name = FnvHasher::default();
    name.write(kind.as_bytes());
    fastrand::Rng::with_seed(mixed(mixed(seed) ^ name.finish()))
}

/// The finalizer of SplitMix64: each bit of the input changes half of the output.
fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_stream_is_the_same_each_time() {
        assert_eq!(stream(7, "latency").u64(..), stream(7, "latency").u64(..));
    }

    #[test]
    fn neither_neighbouring_seeds_nor_concerns_share_a_stream() {
        let first: BTreeSet<_> = (0..1_000)
            .flat_map(|seed| ["faults", "edits", "replicas"].map(|kind| stream(seed, kind).u64(..)))
            .collect();
        assert_eq!(first.len(), 3_000);
    }
}
