//! Whether the shards are spread over the replicas, by the shard Leases.

use anyhow::Result;
use fleet::{ShardLease, held_by_pod, shard_leases};
use kube::Client;

/// Whether every shard has a holder, each replica holds some, and none more than one more than another.
pub(crate) async fn are_balanced(client: &Client, namespace: &str, replicas: usize) -> Result<bool> {
    Ok(balanced(&shard_leases(client, namespace).await?, replicas))
}

fn balanced(leases: &[ShardLease], replicas: usize) -> bool {
    let held = held_by_pod(leases);
    let (least, most) = (held.values().min(), held.values().max());
    leases.iter().all(|lease| lease.holder.is_some())
        && held.len() == replicas
        && least.zip(most).is_some_and(|(least, most)| most - least <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(holders: &[Option<&str>]) -> Vec<ShardLease> {
        let lease = |(shard, holder): (u32, Option<&str>)| ShardLease {
            shard,
            holder: holder.map(|pod| format!("{pod}_1")),
            since: None,
            transitions: 1,
        };
        (0..).zip(holders.iter().copied()).map(lease).collect()
    }

    #[test]
    fn a_free_shard_or_a_replica_with_two_more_than_another_is_not_balanced() {
        let (a, b) = (Some("a"), Some("b"));
        assert!(balanced(&leases(&[a, b, a]), 2));
        assert!(!balanced(&leases(&[a, b, a, a]), 2));
        assert!(!balanced(&leases(&[a, None]), 1));
        assert!(!balanced(&leases(&[a, a]), 2));
        assert!(!balanced(&leases(&[]), 0));
    }
}
