//! Which shard each bucket belongs to, for every number of shards.

use std::sync::LazyLock;

use crate::routing::bucket::{BUCKETS, Bucket, ShardCount, ShardId};

/// The shard that a bucket belongs to, of so many. The same in every version.
pub(crate) fn shard_among(shards: ShardCount, bucket: Bucket) -> ShardId {
    let row = usize::from(shards.get() - 1) * usize::from(BUCKETS);
    ShardId(u16::from(TABLE[row + usize::from(bucket.0)]))
}

/// One row of 256 bytes for each number of shards.
static TABLE: LazyLock<Vec<u8>> = LazyLock::new(table);

/// Row S + 1 is row S, except that the new shard takes one bucket at a time from the largest shard
/// (the lowest number among equals; its highest bucket) until it has ⌊256 / (S + 1)⌋ buckets. So only the new shard
/// receives buckets, and because the largest shards give first, the sizes differ by at most one.
fn table() -> Vec<u8> {
    let buckets = usize::from(BUCKETS);
    let mut rows = vec![0_u8; buckets];
    let mut row = rows.clone();
    for newcomer in 1..BUCKETS {
        let mut sizes = vec![0_u16; usize::from(newcomer)];
        for shard in &row {
            sizes[usize::from(*shard)] += 1;
        }
        let newcomer_id = u8::try_from(newcomer).expect("there are 256 shards at most");
        for _ in 0..BUCKETS / (newcomer + 1) {
            let donor = tallest(&sizes);
            let taken = row.iter().rposition(|shard| usize::from(*shard) == donor);
            row[taken.expect("the tallest shard has a bucket")] = newcomer_id;
            sizes[donor] -= 1;
        }
        rows.extend_from_slice(&row);
    }
    rows
}

fn tallest(sizes: &[u16]) -> usize {
    let tallest = sizes.iter().enumerate().max_by_key(|(shard, size)| (**size, std::cmp::Reverse(*shard)));
    tallest.expect("there is a shard").0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replicas of two builds must agree on who owns what: the table is part of the protocol.
    #[test]
    fn the_table_is_pinned() {
        assert_eq!(crate::routing::hash::hash(&TABLE), 0x1ab4_98af_5dc7_9271);
    }
}
