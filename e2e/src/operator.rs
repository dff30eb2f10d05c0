//! What the operator is doing, as anybody with kubectl sees it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use overlap_checker::records::Replica;

/// LeaderElectionID, the chart's default.
pub(crate) const ID: &str = "memcached.cache.example.com";

/// The Lease of a shard.
#[derive(Debug, Clone)]
pub(crate) struct ShardLease {
    pub(crate) shard: u32,
    /// None when the shard is free.
    pub(crate) holder: Option<Replica>,
}

/// A Pod of the operator.
#[derive(Debug, Clone)]
pub(crate) struct OperatorPod {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) ready: bool,
    /// It has been asked to end.
    pub(crate) ending: bool,
    pub(crate) image: String,
}

/// The Leases of all shards, by number.
pub(crate) async fn shard_leases(client: &Client, namespace: &str) -> Result<Vec<ShardLease>> {
    let leases = Api::<Lease>::namespaced(client.clone(), namespace).list(&ListParams::default()).await;
    let leases = leases.context("the Leases could not be listed")?;
    let mut shards: Vec<_> = leases.into_iter().filter_map(shard_lease).collect();
    shards.sort_by_key(|lease| lease.shard);
    Ok(shards)
}

/// The Pods of one release.
pub(crate) async fn pods(client: &Client, namespace: &str, release: &str) -> Result<Vec<OperatorPod>> {
    let params = ListParams::default().labels(&format!("app.kubernetes.io/instance={release}"));
    let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&params).await;
    let pods = pods.context("the operator's Pods could not be listed")?;
    Ok(pods.iter().map(operator_pod).collect())
}

/// How many shards each Pod holds.
pub(crate) fn held_by_pod(leases: &[ShardLease]) -> BTreeMap<&str, u32> {
    let mut held = BTreeMap::new();
    for holder in leases.iter().filter_map(|lease| lease.holder.as_ref()) {
        *held.entry(holder.pod()).or_default() += 1;
    }
    held
}

/// Whether every shard has a holder among `pods`, and each Pod its share: `shards` divided as evenly as can be.
pub(crate) fn is_settled(leases: &[ShardLease], pods: &[String], shards: u32) -> bool {
    let held = held_by_pod(leases);
    let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
    if count == 0 || leases.len() != shards as usize || held.values().sum::<u32>() != shards {
        return false;
    }
    let mut counts: Vec<u32> = held.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut expected: Vec<u32> =
        (0..count).map(|index| shards / count + u32::from(index < shards % count)).collect();
    expected.retain(|share| *share > 0);
    counts == expected && held.keys().all(|holder| pods.iter().any(|pod| pod == holder))
}

/// As people write it: `3/3/2`.
pub(crate) fn spread(leases: &[ShardLease]) -> String {
    let mut counts: Vec<u32> = held_by_pod(leases).into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let counts: Vec<_> = counts.iter().map(u32::to_string).collect();
    if counts.is_empty() { "nobody".to_owned() } else { counts.join("/") }
}

fn shard_lease(lease: Lease) -> Option<ShardLease> {
    let shard = lease.name_any().strip_prefix(ID)?.strip_prefix("-shard-")?.parse().ok()?;
    let holder = lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| holder.contains('_'));
    Some(ShardLease { shard, holder: holder.map(Replica) })
}

fn operator_pod(pod: &Pod) -> OperatorPod {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.clone().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let spec = pod.spec.as_ref();
    let container = spec.and_then(|spec| spec.containers.first());
    OperatorPod {
        ready,
        node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        image: container.and_then(|container| container.image.clone()).unwrap_or_default(),
        ending: pod.metadata.deletion_timestamp.is_some(),
        name: pod.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(holders: &[&str]) -> Vec<ShardLease> {
        let lease = |(shard, holder): (usize, &&str)| ShardLease {
            shard: u32::try_from(shard).expect("few"),
            holder: (!holder.is_empty()).then(|| Replica(format!("{holder}_1"))),
        };
        holders.iter().enumerate().map(lease).collect()
    }

    #[test]
    fn eight_shards_of_three_replicas_settle_at_3_3_2() {
        let pods = ["a", "b", "c"].map(str::to_owned);
        let settled = leases(&["a", "a", "a", "b", "b", "b", "c", "c"]);
        assert!(is_settled(&settled, &pods, 8));
        assert_eq!(spread(&settled), "3/3/2");
        assert!(!is_settled(&leases(&["a", "a", "a", "a", "b", "b", "c", "c"]), &pods, 8));
        assert!(!is_settled(&leases(&["a", "a", "a", "b", "b", "b", "c", ""]), &pods, 8));
        assert!(!is_settled(&leases(&["a", "a", "a", "b", "b", "b", "x", "x"]), &pods, 8));
    }

    #[test]
    fn with_more_replicas_than_shards_some_have_none() {
        let pods = ["a", "b", "c"].map(str::to_owned);
        assert!(is_settled(&leases(&["c", "a"]), &pods, 2));
    }
}
