//! Four of the 256 buckets stand for all: two buckets that belong to the same shard in each layout meet the same steps.

use std::sync::LazyLock;

use shard_router::{Bucket, Layout};

use crate::state::MAX_SHARDS;

/// How many samples there are: of the ways in which a bucket can move between one, two and three shards.
const SAMPLES: u8 = 4;

/// The samples, by number.
pub fn all() -> impl Iterator<Item = u8> {
    0..SAMPLES
}

/// The bucket that this sample is.
pub fn sample(number: u8) -> Bucket {
    static CHOSEN: LazyLock<Vec<Bucket>> = LazyLock::new(choose);
    CHOSEN[usize::from(number)]
}

/// The shard of a bucket, in each layout.
fn way(bucket: Bucket) -> Vec<u16> {
    let counts = 1..=u16::try_from(MAX_SHARDS).expect("there are few");
    let layouts = counts.map(|shards| Layout::first(shards.try_into().expect("it is in the range"), None));
    layouts.map(|layout| layout.shard_of(bucket).0).collect()
}

fn choose() -> Vec<Bucket> {
    let mut chosen: Vec<Bucket> = Vec::new();
    for bucket in Bucket::all() {
        if chosen.iter().all(|other| way(*other) != way(bucket)) {
            chosen.push(bucket);
        }
    }
    assert_eq!(
        chosen.len(),
        usize::from(SAMPLES),
        "the layouts move buckets in other ways than this model expects: {chosen:?}"
    );
    chosen
}
